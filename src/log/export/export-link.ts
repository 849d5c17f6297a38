import { hkdfSync } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { CompactSign, compactVerify, errors } from 'jose';
import type { Reader } from '../../auth/scope.js';
import { forbidden, ReelError } from '../../errors.js';
import type { ExportRequest } from './export-content.js';

/** Everything that a download needs: nothing is stored on the server. */
export interface ExportTicket extends ExportRequest {
  /** By which the records of its preparing and of each fetch are told to be of one export. */
  exportId: string;
  filename: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  /** The id alone, since a link may outlive the erasure of the person's other data. */
  preparedBy: Reader['id'];
}

const HEADER = { alg: 'HS256', typ: 'reel-export' };
/** More than the longest allowed filter of incompressible text; the server accepts headers of 128 KiB. */
const MAX_LINK_BYTES = 120 * 1024;

/** Signs links with the first secret and accepts those of all: servers that share them accept each other's, also after a restart. */
export class ExportLinks {
  private readonly keys: readonly Uint8Array[];

  constructor(
    secrets: readonly string[],
    private readonly clock: () => number = Date.now,
    /** Where downloads are. */
    private readonly path = '/api/v1/reel/exports',
  ) {
    // Derived keys (RFC 5869), so that a link is never accepted as a credential, nor a credential as a link.
    this.keys = secrets.map(
      (secret) => new Uint8Array(hkdfSync('sha256', secret, '', 'reel export link, version 2', 32)),
    );
  }

  /** A path on this server. Errors: BAD_USER_INPUT for a filter too long for a link. */
  async write(ticket: ExportTicket): Promise<string> {
    const payload = deflateRawSync(JSON.stringify(ticket));
    const token = await new CompactSign(payload).setProtectedHeader(HEADER).sign(this.keys[0]!);
    const path = `${this.path}/${ticket.filename}?token=${token}`;
    if (path.length > MAX_LINK_BYTES)
      throw new ReelError(
        'BAD_USER_INPUT',
        `filter: expected one that fits into a link of ${MAX_LINK_BYTES} bytes, got ${path.length} bytes`,
      );
    return path;
  }

  /** Errors: FORBIDDEN for a link that is forged, expired, or for another file. */
  async read(filename: string, token: string): Promise<ExportTicket> {
    const ticket = await this.verified(token);
    if (ticket === null || ticket.filename !== filename)
      throw forbidden('Expected an export link made by Reel, got something else');
    if (ticket.expiresAt <= this.clock())
      throw forbidden(
        `This export link expired at ${new Date(ticket.expiresAt).toISOString()}; prepare the export again`,
      );
    return ticket;
  }

  private async verified(token: string): Promise<ExportTicket | null> {
    for (const key of this.keys) {
      const payload = await payloadOf(token, key);
      if (payload) return JSON.parse(inflateRawSync(payload).toString()) as ExportTicket;
    }
    return null;
  }
}

/** null where another key signed it, or it is no link. */
async function payloadOf(token: string, key: Uint8Array): Promise<Uint8Array | null> {
  try {
    const { payload, protectedHeader } = await compactVerify(token, key, { algorithms: [HEADER.alg] });
    return protectedHeader.typ === HEADER.typ ? payload : null;
  } catch (error) {
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}
