import type { StreamSummary } from '../verify/stream/stream-check.js';

/** Size and root of a verified log (RFC 6962, "tree head"). */
export interface TreeHead {
  /** Null for an export without a checkpoint. */
  tenantId: string | null;
  size: number;
  root: Buffer;
  /** Of what a stream's receiver kept. */
  received?: StreamSummary;
}
