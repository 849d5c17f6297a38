/** What a reader may see: one tenant, and of it everything or only some clients' entries. */
export interface Scope {
  readonly tenantId: string;
  /** null: the whole tenant. A list: only entries of these clients; entries without a client are not among them. */
  readonly clients: readonly string[] | null;
}

/** Who writes. A module vouches for what it says; a person's identity is taken from the credential and the connection. */
export type Author =
  | {
      readonly kind: 'module' /** Its name, or `*` for a gateway that writes for several. */;
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
      /** Clients an entry may name; null: any. */
      readonly clients: readonly string[] | null;
      readonly ip: string | null;
      readonly agent: string | null;
      /** The request's own, for an entry that names none. */
      readonly requestId: string | null;
    };

/** Who looks: what Reel writes of a person where reads are recorded. */
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
