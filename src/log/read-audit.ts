import type { Reader, Scope } from '../auth/scope.js';
import type { ReelService } from './service.js';

/** REEL_AUDIT_READS: record nothing, exports, or also every view. */
export type AuditedReads = 'off' | 'exports' | 'all';

/** Actions of the entries, of module `reel`, that record it. */
export const READ_ACTIONS = { viewed: 'reel.logs.viewed', exported: 'reel.logs.exported' } as const;

/** Bytes of JSON recorded about a read, well below what one entry may hold. */
const MAX_DETAILS = 48_000;

/**
 * Records who read what, as entries of Reel's own: reel.logs.viewed and reel.logs.exported. Each is on disk when the
 * promise resolves, so a caller that awaits it before responding returns nothing unrecorded; if it cannot be written, the
 * request fails.
 */
export class ReadAudit {
  constructor(
    private readonly reel: Pick<ReelService, 'record'>,
    private readonly reads: AuditedReads,
  ) {}

  /** `view`: through which API and what was asked for, as JSON; stored as data. */
  async viewed(reader: Reader, scope: Scope, view: Record<string, unknown>): Promise<void> {
    if (this.reads === 'all') await this.record(READ_ACTIONS.viewed, reader, scope, view);
  }

  async exported(reader: Reader, scope: Scope, file: Record<string, unknown>): Promise<void> {
    if (this.reads !== 'off') await this.record(READ_ACTIONS.exported, reader, scope, file);
  }

  private async record(
    action: string,
    reader: Reader,
    scope: Scope,
    details: Record<string, unknown>,
  ): Promise<void> {
    const [client = null, ...others] = scope.clients ?? [];
    await this.reel.record({
      action,
      tenantId: scope.tenantId,
      // Not the client's own entry: an export of the client's entries must not grow by being made.
      ...(client !== null && others.length === 0 ? { resourceType: 'client', resourceId: client } : {}),
      actorId: reader.id,
      actorEmail: reader.email,
      actorName: reader.name,
      ipAddress: reader.ip,
      userAgent: reader.agent,
      requestId: reader.requestId,
      data: recordable(details),
    });
  }
}

/** The request may hold anything, and is not checked yet: text that cannot be stored is mended, and details that are too long are replaced by their size. */
function recordable(details: Record<string, unknown>): Record<string, unknown> {
  const text = JSON.stringify(details, (_key, value: unknown) =>
    typeof value === 'string' ? value.replaceAll('\0', '\uFFFD').toWellFormed() : value,
  );
  if (Buffer.byteLength(text) <= MAX_DETAILS) return JSON.parse(text) as Record<string, unknown>;
  return { ...(details.door ? { door: details.door } : {}), tooLong: Buffer.byteLength(text) };
}
