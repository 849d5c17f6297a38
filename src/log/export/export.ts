import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Reader, Scope } from '../../auth/scope.js';
import { badInput, conflict } from '../../errors.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { exportColumns } from '../entry/wire.js';
import type { Criteria } from '../filter/criteria.js';
import type { ReadAudit } from '../read-audit.js';
import { checkpointLine, EXPORT_FORMATS, SPREADSHEET_FORMAT } from './export-format.js';
import { ExportLinks, type ExportTicket } from './export-link.js';
import { type ExportLogsInput, LogExportFormat } from './export-logs-input.js';
import type { LogExport } from './log-export.js';

export type { LogExport };

export interface ExportFile {
  filename: string;
  contentType: string;
  /** UTF-8; ends in an error if it cannot be complete. Reads lazily, and nothing after it is destroyed. */
  stream: Readable;
}

/** Reads entries with the sequences 1 to `upTo`. */
export interface SealedReader {
  countSequenced(criteria: Criteria, upTo: number): Promise<number>;
  /** In sealed order, batch by batch, each read on demand. */
  streamSequenced(criteria: Criteria, upTo: number, batchSize: number): AsyncIterable<LogEntry[]>;
}

/** Proofs of entries against one checkpoint, the first that covers the sequence `upTo`. */
export interface ExportProofs {
  /** The `proof` of each entry's line, in order. Errors: an Error if an entry has none. */
  bundles(
    scope: Scope,
    entries: readonly LogEntry[],
    upTo: number,
    includeData: boolean,
  ): Promise<readonly unknown[]>;
  /** The checkpoint's signed note; null if nothing is sealed. */
  note(scope: Scope, upTo: number): Promise<string | null>;
}

export interface ExportDependencies {
  reader: SealedReader;
  proofs: ExportProofs;
  /** Records who exports, before anything is returned. */
  audit: Pick<ReadAudit, 'exported'>;
  /** Waits until everything acknowledged so far is sequenced; returns the last sequence (0: none). */
  catchUp(tenantId: string): Promise<number>;
  /** Signs links; at least 32 bytes, the same for all servers. */
  secret: string;
  linkMinutes: number;
  /** 0: no limit. */
  maxRecords: number;
  clock?: () => number;
}

const BATCH = 1000;
/** With data, which may be 64 KiB per entry. */
const BATCH_WITH_DATA = 200;

/** Exports as links that carry the whole request: the file is read from the database while it is sent. */
export class ExportService {
  private readonly links: ExportLinks;
  private readonly clock: () => number;

  constructor(private readonly deps: ExportDependencies) {
    this.clock = deps.clock ?? Date.now;
    this.links = new ExportLinks(deps.secret, this.clock);
  }

  /**
   * Covers every matching entry that was acknowledged before the call. `criteria` are those of the input's filter, which is
   * only recorded here. Errors: BAD_USER_INPUT for includeProofs with a format other than NDJSON, or too many entries.
   */
  async prepare(criteria: Criteria, input: ExportLogsInput, reader: Reader): Promise<LogExport> {
    const format = input.format ?? LogExportFormat.CSV;
    const includeProofs = input.includeProofs ?? false;
    if (includeProofs && format !== LogExportFormat.NDJSON)
      throw badInput('includeProofs', 'false, or the format NDJSON', true);
    const spreadsheet = input.spreadsheet ?? false;
    if (spreadsheet && format !== LogExportFormat.CSV)
      throw badInput('spreadsheet', 'false with any format but CSV', true);
    const now = this.clock();
    const upTo = await this.deps.catchUp(criteria.scope.tenantId);
    const recordCount = await this.deps.reader.countSequenced(criteria, upTo);
    const { maxRecords, linkMinutes } = this.deps;
    if (maxRecords > 0 && recordCount > maxRecords)
      throw badInput('filter', `at most ${maxRecords} matching entries`, recordCount);
    const filename = `logs_${stamp(now)}.${EXPORT_FORMATS[format].extension}`;
    const expiresAt = Math.min(now + linkMinutes * 60_000, reader.expiresAt ?? Number.POSITIVE_INFINITY);
    const includeData = input.includeData ?? false;
    const ticket: ExportTicket = {
      exportId: randomUUID(),
      criteria,
      format,
      includeData,
      includeProofs,
      allFields: input.allFields ?? false,
      spreadsheet,
      upTo,
      recordCount,
      filename,
      expiresAt,
      preparedBy: reader.id,
    };
    const downloadUrl = await this.links.write(ticket);
    await this.deps.audit.exported(reader, criteria.scope, {
      step: 'prepared',
      filter: input.filter ?? {},
      // The scope is that of the record itself.
      criteria: { conditions: criteria.conditions, start: criteria.start, end: criteria.end },
      ...auditDetails(ticket),
    });
    return {
      downloadUrl,
      filename,
      recordCount,
      expiresAt: new Date(expiresAt).toISOString().replace('Z', '000Z'),
    };
  }

  /**
   * `by`: the connection that fetches the link. A link does not identify who uses it, so the person who prepared it is
   * recorded. Errors: FORBIDDEN for a link that is invalid or expired.
   */
  async open(
    filename: string,
    token: string,
    by: Pick<Reader, 'ip' | 'agent' | 'requestId'>,
  ): Promise<ExportFile> {
    const ticket = await this.links.read(filename, token);
    await this.deps.audit.exported(
      { id: ticket.preparedBy, email: null, name: null, ...by },
      ticket.criteria.scope,
      {
        step: 'fetched',
        ...auditDetails(ticket),
      },
    );
    const { contentType } = EXPORT_FORMATS[ticket.format];
    return { filename, contentType, stream: Readable.from(this.chunks(ticket)) };
  }

  /** The head is sent with the first rows, so that a database error is reported before anything is sent. */
  private async *chunks(ticket: ExportTicket): AsyncGenerator<string> {
    const { criteria, includeData, includeProofs, upTo, recordCount } = ticket;
    const { proofs } = this.deps;
    const format = ticket.spreadsheet ? SPREADSHEET_FORMAT : EXPORT_FORMATS[ticket.format];
    const columns = exportColumns(ticket.allFields).filter(({ field }) => includeData || field !== 'data');
    const batch = includeData ? BATCH_WITH_DATA : BATCH;
    let pending = format.head(columns);
    let count = 0;
    for await (const entries of this.deps.reader.streamSequenced(criteria, upTo, batch)) {
      if (entries.length === 0) continue;
      const bundles = includeProofs
        ? await proofs.bundles(criteria.scope, entries, upTo, includeData)
        : undefined;
      const rows = format.rows(entries, columns, count === 0, bundles);
      count += entries.length;
      if (count > recordCount) break;
      yield pending + rows;
      pending = '';
    }
    // Entries may have been removed since. A truncated download is noticed, a file with too few entries is not.
    if (count !== recordCount)
      throw conflict(
        `Expected ${recordCount} entries, got ${count}: some were removed or erased since; prepare the export again`,
      );
    const end =
      pending +
      format.tail(count) +
      (includeProofs ? checkpointLine(await proofs.note(criteria.scope, upTo)) : '');
    if (end !== '') yield end;
  }
}

/**
 * Recorded both when an export is prepared and when it is fetched: without the criteria, which may name a person who has
 * been erased since.
 */
const auditDetails = ({ exportId, filename, format, recordCount, ...ticket }: ExportTicket) => ({
  exportId,
  filename,
  format,
  includeData: ticket.includeData,
  includeProofs: ticket.includeProofs,
  allFields: ticket.allFields,
  spreadsheet: ticket.spreadsheet,
  recordCount,
});

/** `20260105_100000`, in UTC. */
const stamp = (at: number): string =>
  new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_');
