import { Readable } from 'node:stream';
import type { Reader, Scope } from '../auth/scope.js';
import { badInput } from '../errors.js';
import { parseQueryLine } from '../query-line/parse.js';
import { printQueryLine } from '../query-line/print.js';
import { checkpointLine, EXPORT_FORMATS, type ExportColumn } from './export-format.js';
import { ExportLinks, type ExportTicket } from './export-link.js';
import { type ExportLogsInput, LogExportFormat, type LogFilter } from './inputs.js';
import type { LogEntry } from './log-entry.entity.js';
import type { LogExport } from './log-export.js';
import { readQueryLine } from './query-filter.js';
import type { ReadAudit } from './read-audit.js';

export type { LogExport };

export interface ExportFile {
  filename: string;
  contentType: string;
  /** Text in UTF-8; ends in an error where it cannot be whole. Nothing is read before it is, nor after it is destroyed. */
  stream: Readable;
}

/** Entries by their place in the tenant's sealed order, from 1 to `upTo`. */
export interface SealedReader {
  countSequenced(scope: Scope, filter: LogFilter, upTo: number): Promise<number>;
  /** In sealed order, batch by batch; reads on only when asked for the next one. */
  streamSequenced(
    scope: Scope,
    filter: LogFilter,
    upTo: number,
    batchSize: number,
  ): AsyncIterable<LogEntry[]>;
}

/** Proofs of entries against one checkpoint, the first that has the entry at the place `upTo`. */
export interface ExportProofs {
  /** What the line of each entry carries as `proof`, in order. Errors: an Error where an entry has none. */
  bundles(
    scope: Scope,
    entries: readonly LogEntry[],
    upTo: number,
    includeData: boolean,
  ): Promise<readonly unknown[]>;
  /** The checkpoint's signed note; null where nothing is sealed. */
  note(scope: Scope, upTo: number): Promise<string | null>;
}

export interface ExportParts {
  reader: SealedReader;
  proofs: ExportProofs;
  /** Records who exports; nothing is answered before that is on disk. */
  audit: Pick<ReadAudit, 'exported'>;
  /** Waits until everything acknowledged so far has its place in the tenant's order; answers the last place (0: none). */
  catchUp(tenantId: string): Promise<number>;
  /** In the order of the file; `data` among them is left out unless it is asked for. */
  columns: readonly ExportColumn[];
  /** That links are signed with, at least 32 bytes; the same for all servers. */
  secret: string;
  linkMinutes: number;
  /** 0: no limit. */
  maxRecords: number;
  clock?: () => number;
}

const BATCH = 1000;
/** Of entries with data, which may be of 64 KiB each. */
const BATCH_WITH_DATA = 200;

/** Exports as links that carry the whole request: the file is read from the database while it is sent. */
export class ExportService {
  private readonly links: ExportLinks;
  private readonly clock: () => number;

  constructor(private readonly parts: ExportParts) {
    this.clock = parts.clock ?? Date.now;
    this.links = new ExportLinks(parts.secret, this.clock);
  }

  /**
   * Every entry acknowledged before the call is in it. Errors: BAD_USER_INPUT for includeProofs with another format than
   * NDJSON, a faulty filter, or more entries than one export may have.
   */
  async prepare(scope: Scope, input: ExportLogsInput, reader: Reader): Promise<LogExport> {
    const format = input.format ?? LogExportFormat.CSV;
    const includeProofs = input.includeProofs ?? false;
    if (includeProofs && format !== LogExportFormat.NDJSON)
      throw badInput('includeProofs', 'false with any format but NDJSON', true);
    const now = this.clock();
    const filter = settle(input.filter ?? {}, new Date(now));
    const upTo = await this.parts.catchUp(scope.tenantId);
    const recordCount = await this.parts.reader.countSequenced(scope, filter, upTo);
    const { maxRecords, linkMinutes } = this.parts;
    if (maxRecords > 0 && recordCount > maxRecords)
      throw badInput('filter', `one that at most ${maxRecords} entries match`, recordCount);
    const filename = `logs_${stamp(now)}.${EXPORT_FORMATS[format].extension}`;
    const expiresAt = now + linkMinutes * 60_000;
    const includeData = input.includeData ?? false;
    const ticket: ExportTicket = {
      scope,
      filter,
      format,
      includeData,
      includeProofs,
      upTo,
      recordCount,
      filename,
      expiresAt,
      preparedBy: { id: reader.id, email: reader.email, name: reader.name },
    };
    const downloadUrl = await this.links.write(ticket);
    await this.parts.audit.exported(reader, scope, { step: 'prepared', ...fileOf(ticket) });
    return {
      downloadUrl,
      filename,
      recordCount,
      expiresAt: new Date(expiresAt).toISOString().replace('Z', '000Z'),
    };
  }

  /**
   * `by`: the connection that fetches; who it is, the link does not tell, so it counts as whoever prepared it. Errors:
   * FORBIDDEN for a link that is not valid (any more).
   */
  async open(
    filename: string,
    token: string,
    by: Pick<Reader, 'ip' | 'agent' | 'requestId'>,
  ): Promise<ExportFile> {
    const ticket = await this.links.read(filename, token);
    await this.parts.audit.exported({ ...ticket.preparedBy, ...by }, ticket.scope, {
      step: 'fetched',
      ...fileOf(ticket),
    });
    const { contentType } = EXPORT_FORMATS[ticket.format];
    return { filename, contentType, stream: Readable.from(this.pieces(ticket)) };
  }

  /** The head comes with the first rows, so that a database which does not answer is told before anything is sent. */
  private async *pieces(ticket: ExportTicket): AsyncGenerator<string> {
    const { scope, filter, includeData, includeProofs, upTo, recordCount } = ticket;
    const { proofs } = this.parts;
    const format = EXPORT_FORMATS[ticket.format];
    const columns = this.parts.columns.filter(({ field }) => includeData || field !== 'data');
    const batch = includeData ? BATCH_WITH_DATA : BATCH;
    let pending = format.head(columns);
    let count = 0;
    for await (const entries of this.parts.reader.streamSequenced(scope, filter, upTo, batch)) {
      if (entries.length === 0) continue;
      const bundles = includeProofs ? await proofs.bundles(scope, entries, upTo, includeData) : undefined;
      const rows = format.rows(entries, columns, count === 0, bundles);
      count += entries.length;
      if (count > recordCount) break;
      yield pending + rows;
      pending = '';
    }
    // Entries may have been cleaned up since. A file that is cut off is seen to be; one that is merely short is not.
    if (count !== recordCount) throw new Error(`an export of ${recordCount} entries found ${count}`);
    const end =
      pending + format.tail(count) + (includeProofs ? checkpointLine(await proofs.note(scope, upTo)) : '');
    if (end !== '') yield end;
  }
}

/** The same filter without times that are relative to now, since the link may be fetched much later. */
function settle(filter: LogFilter, now: Date): LogFilter {
  if (!filter.query) return filter;
  readQueryLine(filter.query, now);
  const { filter: said, relative } = parseQueryLine(filter.query, now);
  if (Object.keys(relative).length === 0) return filter;
  const [startDate] = [filter.startDate, said.since]
    .filter((at) => at != null)
    .sort()
    .reverse();
  const [endDate] = [filter.endDate, said.until].filter((at) => at != null).sort();
  const query = printQueryLine({ filter: { ...said, since: null, until: null }, relative: {} });
  return { ...filter, query, startDate, endDate };
}

/** What is recorded of an export. */
const fileOf = ({ filename, format, filter, includeData, includeProofs, recordCount }: ExportTicket) => ({
  filename,
  format,
  filter,
  includeData,
  includeProofs,
  recordCount,
});

/** `20260105_100000`, in UTC. */
const stamp = (at: number): string =>
  new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_');
