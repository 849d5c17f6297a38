import type { Allowance } from '../errors.js';

/** What a reader may see: one tenant's entries, all of them or only those of some clients. */
export interface Scope {
  readonly tenantId: string;
  /** null: the whole tenant. A list: only these clients' entries, which excludes those without a client. */
  readonly clients: readonly string[] | null;
  /** Names of clients by id, where the caller's grants have any; only for showing. */
  readonly clientNames?: ReadonlyMap<string, string>;
}

/** Who writes. A module is trusted with what it says; a person's identity comes from the credential and the connection. */
export type Author =
  | {
      readonly kind: 'module';
      /** Its name, or `*` for a gateway that writes for several. */
      readonly module: string;
      readonly ip: string | null;
      readonly agent: string | null;
    }
  | {
      readonly kind: 'person';
      /** The credential's `sub`, by which their idempotency keys are told apart. */
      readonly subject: string;
      /** The same, or null where it is an e-mail address. */
      readonly id: string | null;
      readonly email: string | null;
      readonly name: string | null;
      readonly tenantId: string;
      /** Clients that an entry may name; null: any. */
      readonly clients: readonly string[] | null;
      readonly ip: string | null;
      readonly agent: string | null;
      /** The request's own, for an entry that names none. */
      readonly requestId: string | null;
      /** What is left of the entries that they may report. */
      readonly allowance?: Allowance;
    };

/** Who writes, as a key by which their entries share the queue. */
export const writerOf = (author: Author): string =>
  author.kind === 'module' ? `module:${author.module}` : `person:${author.subject}`;

/** Who reads: what Reel records of a person where reads are audited. */
export interface Reader {
  readonly id: string | null;
  readonly email: string | null;
  readonly name: string | null;
  readonly ip: string | null;
  readonly agent: string | null;
  readonly requestId: string;
  /** When the credential ends, in milliseconds since the epoch; none where no credential is looked at. */
  readonly expiresAt?: number;
}
