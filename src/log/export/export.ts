import { Readable } from 'node:stream';
import type { Reader, Scope } from '../../auth/scope.js';
import { badInput } from '../../errors.js';
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
  /** Text in UTF-8; ends in an error where it cannot be whole. Nothing is read before it is, nor after it is destroyed. */
  stream: Readable;
}

/** Entries by their place in the tenant's sealed order, from 1 to `upTo`. */
export interface SealedReader {
  countSequenced(criteria: Criteria, upTo: number): Promise<number>;
  /** In sealed order, batch by batch; reads on only when asked for the next one. */
  streamSequenced(criteria: Criteria, upTo: number, batchSize: number): AsyncIterable<LogEntry[]>;
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
   * Every matching entry that was acknowledged before the call is in it. `criteria` are of the input's filter, which is
   * only recorded here. Errors: BAD_USER_INPUT for includeProofs with another format than NDJSON, or more entries than one
   * export may have.
   */
  async prepare(criteria: Criteria, input: ExportLogsInput, reader: Reader): Promise<LogExport> {
    const format = input.format ?? LogExportFormat.CSV;
    const includeProofs = input.includeProofs ?? false;
    if (includeProofs && format !== LogExportFormat.NDJSON)
      throw badInput('includeProofs', 'false with any format but NDJSON', true);
    const spreadsheet = input.spreadsheet ?? false;
    if (spreadsheet && format !== LogExportFormat.CSV)
      throw badInput('spreadsheet', 'false with any format but CSV', true);
    const now = this.clock();
    const upTo = await this.parts.catchUp(criteria.scope.tenantId);
    const recordCount = await this.parts.reader.countSequenced(criteria, upTo);
    const { maxRecords, linkMinutes } = this.parts;
    if (maxRecords > 0 && recordCount > maxRecords)
      throw badInput('filter', `one that at most ${maxRecords} entries match`, recordCount);
    const filename = `logs_${stamp(now)}.${EXPORT_FORMATS[format].extension}`;
    const expiresAt = Math.min(now + linkMinutes * 60_000, reader.expiresAt ?? Number.POSITIVE_INFINITY);
    const includeData = input.includeData ?? false;
    const ticket: ExportTicket = {
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
    const asked = input.filter ?? {};
    await this.parts.audit.exported(reader, criteria.scope, {
      step: 'prepared',
      filter: asked,
      ...fileOf(ticket),
    });
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
    await this.parts.audit.exported(
      { id: ticket.preparedBy, email: null, name: null, ...by },
      ticket.criteria.scope,
      {
        step: 'fetched',
        ...fileOf(ticket),
      },
    );
    const { contentType } = EXPORT_FORMATS[ticket.format];
    return { filename, contentType, stream: Readable.from(this.pieces(ticket)) };
  }

  /** The head comes with the first rows, so that a database which does not answer is told before anything is sent. */
  private async *pieces(ticket: ExportTicket): AsyncGenerator<string> {
    const { criteria, includeData, includeProofs, upTo, recordCount } = ticket;
    const { proofs } = this.parts;
    const format = ticket.spreadsheet ? SPREADSHEET_FORMAT : EXPORT_FORMATS[ticket.format];
    const columns = exportColumns(ticket.allFields).filter(({ field }) => includeData || field !== 'data');
    const batch = includeData ? BATCH_WITH_DATA : BATCH;
    let pending = format.head(columns);
    let count = 0;
    for await (const entries of this.parts.reader.streamSequenced(criteria, upTo, batch)) {
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
    // Entries may have been cleaned up since. A file that is cut off is seen to be; one that is merely short is not.
    if (count !== recordCount) throw new Error(`an export of ${recordCount} entries found ${count}`);
    const end =
      pending +
      format.tail(count) +
      (includeProofs ? checkpointLine(await proofs.note(criteria.scope, upTo)) : '');
    if (end !== '') yield end;
  }
}

/** What is recorded of an export, both when it is prepared and when it is fetched. */
const fileOf = ({ filename, format, criteria, recordCount, ...ticket }: ExportTicket) => ({
  filename,
  format,
  // The scope is that of the record itself.
  criteria: { conditions: criteria.conditions, start: criteria.start, end: criteria.end },
  includeData: ticket.includeData,
  includeProofs: ticket.includeProofs,
  allFields: ticket.allFields,
  spreadsheet: ticket.spreadsheet,
  recordCount,
});

/** `20260105_100000`, in UTC. */
const stamp = (at: number): string =>
  new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_');
