import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Reader } from '../../auth/scope.js';
import type { CallSignal } from '../../database/call.js';
import type { EndTurn } from '../../database/turns.js';
import { badInput } from '../../errors.js';
import type { Criteria } from '../filter/criteria.js';
import type { ReadAudit } from '../read-audit.js';
import { type ContentSources, exportContent } from './export-content.js';
import { EXPORT_FORMATS } from './export-format.js';
import { ExportLinks, type ExportTicket } from './export-link.js';
import { type ExportLogsInput, LogExportFormat } from './export-logs-input.js';
import { ExportTurns } from './export-turns.js';
import type { LogExport } from './log-export.js';

export type { LogExport };

export interface ExportFile {
  filename: string;
  contentType: string;
  /**
   * UTF-8; ends in an error if it cannot be complete. Reads lazily, and nothing after it is destroyed. The turn lasts until it
   * is closed.
   */
  stream: Readable;
}

export interface ExportDependencies extends ContentSources {
  /** Records who exports, before anything is returned. */
  audit: Pick<ReadAudit, 'exported'>;
  /** Waits until everything acknowledged so far is sequenced; returns the last sequence (0: none). */
  catchUp(tenantId: string): Promise<number>;
  /** At least 32 bytes each, the same for all servers: the first signs links, all are accepted. */
  secrets: readonly string[];
  linkMinutes: number;
  /** 0: no limit. */
  maxRecords: number;
  clock?: () => number;
  /** Where downloads are, such as /api/v1/reel/exports, which is the default. */
  path?: string;
}

/** Exports as links that carry the whole request: the file is read from the database while it is sent. */
export class ExportService {
  private readonly clock: () => number;

  constructor(
    private readonly deps: ExportDependencies,
    private readonly links = new ExportLinks(deps.secrets, deps.clock, deps.path),
    private readonly turns = new ExportTurns(),
  ) {
    this.clock = deps.clock ?? Date.now;
  }

  /** The same exports, with the same turns, read from other sources. */
  from(sources: ContentSources): ExportService {
    return new ExportService({ ...this.deps, ...sources }, this.links, this.turns);
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

  /** Downloads that are under way. */
  get downloads(): number {
    return this.turns.atOnce;
  }

  /** Downloads that wait for their turn. */
  get waiting(): number {
    return this.turns.waiting;
  }

  /**
   * `by`: the connection that fetches the link. A link does not identify who uses it, so the person who prepared it is
   * recorded. Waits for the client's turn, and leaves the line when `signal` aborts, with its reason; what is read then
   * ends with it too. Errors: FORBIDDEN for a link that is invalid or expired, OVERLOADED.
   */
  async open(
    filename: string,
    token: string,
    by: Pick<Reader, 'ip' | 'agent' | 'requestId'>,
    signal: CallSignal,
  ): Promise<ExportFile> {
    const ticket = await this.links.read(filename, token);
    const end = await this.turns.take(ticket.criteria.scope, signal);
    try {
      return await this.fetch(ticket, by, signal, end);
    } catch (error) {
      end();
      throw error;
    }
  }

  private async fetch(
    ticket: ExportTicket,
    by: Pick<Reader, 'ip' | 'agent' | 'requestId'>,
    signal: CallSignal,
    end: EndTurn,
  ): Promise<ExportFile> {
    await this.deps.audit.exported(
      { id: ticket.preparedBy, email: null, name: null, ...by },
      ticket.criteria.scope,
      {
        step: 'fetched',
        ...auditDetails(ticket),
      },
    );
    signal.throwIfAborted();
    const stream = Readable.from(exportContent(ticket, this.deps));
    stream.once('close', end);
    signal.addEventListener('abort', () => stream.destroy());
    const { contentType } = EXPORT_FORMATS[ticket.format];
    return { filename: ticket.filename, contentType, stream };
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
