/**
 * A record of the spool, numbers little-endian: the payload's bytes (4), the CRC-32 of all that follows it (4), when the
 * record was taken in Unix milliseconds (8, a double), and the payload, an entry as JSON.
 */
export interface SpoolRecord {
  /** The whole record, its header with it. */
  record: Buffer;
  payload: Buffer;
  time: number;
}

export const HEADER_BYTES = 16;
/** The longest payload: with its header a record fits into 1 MiB. */
export const MAX_PAYLOAD_BYTES = 2 ** 20 - HEADER_BYTES;

export function encodeRecord(payload: string, time: number): Buffer {
  const bytes = Buffer.byteLength(payload);
  const record = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  record.writeUInt32LE(bytes, 0);
  record.writeDoubleLE(time, 8);
  record.write(payload, HEADER_BYTES);
  record.writeUInt32LE(crc32(record, 8, record.length), 4);
  return record;
}

/** The whole record that begins at a place; null where there is none: it was cut short, or is not what was written. */
export function decodeRecord(buffer: Buffer, at: number): SpoolRecord | null {
  const start = at + HEADER_BYTES;
  if (start > buffer.length) return null;
  const end = start + buffer.readUInt32LE(at);
  if (end > buffer.length || crc32(buffer, at + 8, end) !== buffer.readUInt32LE(at + 4)) return null;
  return {
    record: buffer.subarray(at, end),
    payload: buffer.subarray(start, end),
    time: buffer.readDoubleLE(at + 8),
  };
}

/** CRC-32 as of gzip (RFC 1952, section 8), whose polynomial is here reversed. zlib has it only from Node 20.15 on. */
function crc32(buffer: Buffer, start: number, end: number): number {
  let crc = -1;
  for (let at = start; at < end; at += 1) crc = TABLE[(crc ^ buffer[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc;
});
