/** What the callers were told, kept outside of Reel, against which everything that is found later is held. */

/** An entry as it is sent, in REST's names; its key is its idempotency key and its resource_id. */
export interface Sent {
  key: string;
  tenantId: string;
  /** Without tenant_id and idempotency_key. */
  fields: Record<string, unknown>;
  /** Written in a host's transaction together with a row of the host's own. */
  withHostRow?: boolean;
}

export interface Acknowledged extends Sent {
  id: string;
  /** Milliseconds since the epoch, when it was acknowledged first. */
  at: number;
}

/** A command that may have removed or erased something, even if it was interrupted. */
interface Attempt {
  tenantId: string | null;
  startedAt: number;
  endedAt: number;
  /** Exit code; 0 means that everything that it was to do is done. */
  code: number | null;
}

export interface Cleanup extends Attempt {
  /** Entries from before this moment, milliseconds since the epoch. */
  before: number;
}

export interface Erasure extends Attempt {
  tenantId: string;
  target: { actor: string } | { email: string } | { entry: string };
}

export interface Hold {
  id: string;
  tenantId: string;
  actor: string | null;
  from: string | null;
  to: string | null;
  /** Between these two it is certainly in force. */
  addedAt: number;
  releasedAt: number;
  /** Never released. */
  isKept?: boolean;
}

export class Ledger {
  readonly acknowledged = new Map<string, Acknowledged>();
  readonly cleanups: Cleanup[] = [];
  readonly erasures: Erasure[] = [];
  readonly holds: Hold[] = [];
  /** Signed checkpoints, as printed. */
  readonly notes: { tenantId: string; note: string }[] = [];
  readonly faults: string[] = [];
  /** Acknowledged and not found, or found elsewhere than it was. */
  lost = 0;
  /** Stored more than once, or answered under two ids. */
  twice = 0;
  private readonly byTenant = new Map<string, Acknowledged[]>();
  private readonly sequenceOf = new Map<string, number>();
  private readonly idAt = new Map<string, string>();

  fault(text: string): void {
    this.faults.push(text);
  }

  acknowledge(sent: Sent, id: string): void {
    const known = this.acknowledged.get(sent.key);
    if (known === undefined) {
      const acknowledged = { ...sent, id, at: Date.now() };
      this.acknowledged.set(sent.key, acknowledged);
      this.of(sent.tenantId).push(acknowledged);
    } else if (known.id !== id) {
      this.twice += 1;
      this.fault(`${sent.key} was answered as ${known.id}, then as ${id}`);
    }
  }

  /** A tenant's, in the order in which they were acknowledged. */
  of(tenantId: string): Acknowledged[] {
    const known = this.byTenant.get(tenantId) ?? [];
    this.byTenant.set(tenantId, known);
    return known;
  }

  /** An entry was read at this position, which it keeps, and which no other has. */
  place(tenantId: string, id: string, sequence: number): void {
    const place = `${tenantId} ${sequence}`;
    const [known, other] = [this.sequenceOf.get(id), this.idAt.get(place)];
    if (known !== undefined && known !== sequence)
      this.fault(`entry ${id} was read at ${known}, then at ${sequence}`);
    if (other !== undefined && other !== id)
      this.fault(`position ${sequence} of ${tenantId} held ${other}, then ${id}`);
    this.sequenceOf.set(id, sequence);
    this.idAt.set(place, id);
  }

  placeOf(id: string): number | undefined {
    return this.sequenceOf.get(id);
  }
}
