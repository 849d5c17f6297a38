import { LogExportFormat } from '../log/export/export-logs-input.js';

/** Counts the records of an exported file as its bytes pass through. */
export interface RecordCount {
  add(bytes: Uint8Array): void;
  /** The records so far; null if the file is incomplete. */
  total(): number | null;
}

const [QUOTE, OPENING_BRACE, BACKSLASH, LINE_FEED] = [0x22, 0x7b, 0x5c, 0x0a];
const CLOSING_BRACE = 0x7d;

export function recordCount(format: LogExportFormat): RecordCount {
  if (format === LogExportFormat.CSV) return csvRecords();
  return format === LogExportFormat.JSON ? jsonRecords() : lines();
}

/** RFC 4180: a line break within quotes is part of a cell. The first record names the columns. */
function csvRecords(): RecordCount {
  let quoted = false;
  let ended = true;
  let records = 0;
  return {
    add: (bytes) => {
      for (const byte of bytes) {
        ended = byte === LINE_FEED && !quoted;
        if (byte === QUOTE) quoted = !quoted;
        else if (ended) records += 1;
      }
    },
    total: () => (ended && records > 0 ? records - 1 : null),
  };
}

/** `{"logs":[{…},…],"count":n}`: the objects one level below the outermost. */
function jsonRecords(): RecordCount {
  let depth = 0;
  let records = 0;
  let inText = false;
  let escaped = false;
  let started = false;
  return {
    add: (bytes) => {
      for (const byte of bytes) {
        if (escaped) escaped = false;
        else if (inText && byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inText = !inText;
        else if (!inText && byte === OPENING_BRACE) {
          started = true;
          depth += 1;
          if (depth === 2) records += 1;
        } else if (!inText && byte === CLOSING_BRACE) depth -= 1;
      }
    },
    total: () => (started && depth === 0 && !inText ? records : null),
  };
}

/** One object per line; with proofs there is a last line `{"checkpoint": …}`, which is not an entry. */
function lines(): RecordCount {
  const note = Buffer.from('{"checkpoint"');
  let records = 0;
  let head: number[] = [];
  return {
    add: (bytes) => {
      for (const byte of bytes) {
        if (byte !== LINE_FEED) {
          if (head.length < note.length) head.push(byte);
          continue;
        }
        if (!note.equals(Buffer.from(head))) records += 1;
        head = [];
      }
    },
    total: () => (head.length === 0 ? records : null),
  };
}
