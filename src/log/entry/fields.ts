import type { CopiedRow } from '../../database/copy-out.js';
import { ACTOR_TYPES, ActorType } from './actor-type.js';
import type { GrowingBytes } from './growing-bytes.js';
import { type Kind, nullable, oneOf, storedAs } from './kinds.js';
import type { LogEntry } from './log-entry.entity.js';
import { ORIGINS } from './origin.js';
import { OUTCOMES } from './outcome.js';
import { SEVERITIES } from './severity.js';

/** A parsed row as the driver gives it. */
type Row = Readonly<Record<string, unknown>>;

/** Where a field's value is sealed: in the leaf itself, or in one of its two salted digests (docs/seal.md). */
export type Sealed = 'leaf' | 'identity' | 'data';

interface Traits<T> {
  /** null: not sealed. */
  readonly sealed: Sealed | null;
  /** The first leaf version that contains it. */
  readonly since?: number;
  /** Position among the columns of an export with all fields; none: not a column; only proofs contain it. */
  readonly export?: number;
  /** Whether it is a column of every export. */
  readonly standard?: boolean;
  /** Whether an erasure blanks it. */
  readonly personal?: boolean;
  /** Whether a search looks through it. */
  readonly searched?: boolean;
  /** false: not a column of reel_log_entries that is written with the entry. */
  readonly written?: boolean;
  /** false: REST does not show it. */
  readonly rest?: boolean;
  /** The value for entries that were written before the field was added, told from other fields. */
  readonly before?: { readonly from: readonly FieldName[]; tell(row: Row): T };
}

/** A field's name in the entity. */
export type FieldName = keyof LogEntry & string;

/** One field of an entry, for everything that has to list an entry's fields. */
export interface Field {
  readonly name: FieldName;
  /** Its column, and its name over REST and in files: the name in snake_case. */
  readonly column: string;
  readonly kind: Kind<unknown>;
  readonly nullable: boolean;
  readonly sealed: Sealed | null;
  readonly since: number;
  readonly export: number | null;
  readonly standard: boolean;
  readonly personal: boolean;
  readonly searched: boolean;
  readonly written: boolean;
  readonly rest: boolean;
  /** Fields without which its value cannot be told. */
  readonly toldFrom: readonly FieldName[];
  /** The stored form of the entry's value, as a parameter of a statement. */
  store(entry: Partial<LogEntry>): unknown;
  /** Reads the value from a row into the entry. Errors: TypeError if the row has something else. */
  read(row: Row, entry: Partial<LogEntry>): void;
  /** Writes the value as JSON, given the row's columns as the database writes them, and the row. Errors: those of read. */
  write(out: GrowingBytes, row: CopiedRow, at: number, of: { row(): Row }): void;
  /** Reads the value from its JSON form into the entry; false if it is of another type. */
  accept(value: unknown, entry: Partial<LogEntry>): boolean;
}

/** `resourceType` as `resource_type`: the only rule by which names change. */
export const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
export const camel = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Describes one field; `kind` is of the field's own type, so that no cast makes a row an entry. */
export function field<K extends FieldName>(
  name: K,
  kind: Kind<LogEntry[K]>,
  traits: Traits<LogEntry[K]>,
): Field {
  const column = snake(name);
  const { before } = traits;
  return {
    name,
    column,
    kind,
    nullable: kind.nullable,
    sealed: traits.sealed,
    since: traits.since ?? 1,
    export: traits.export ?? null,
    standard: traits.standard ?? false,
    personal: traits.personal ?? false,
    searched: traits.searched ?? false,
    written: traits.written ?? true,
    rest: traits.rest ?? true,
    toldFrom: before?.from ?? [],
    store: (entry) => kind.store(entry[name] as LogEntry[K]),
    read: (row, entry) => {
      entry[name] = before && row[column] === null ? before.tell(row) : kind.read(row[column], column);
    },
    write: (out, row, at, of) => {
      if (!row.isNull(at)) kind.write(out, row, at, column);
      else out.text(JSON.stringify(before ? before.tell(of.row()) : kind.read(null, column)));
    },
    accept: (value, entry) => {
      if (!kind.accepts(value)) return false;
      entry[name] = value;
      return true;
    },
  };
}

const { uuid, text, address, instant, json, list, sequence } = storedAs;

const ACTED: readonly FieldName[] = ['actorId', 'actorEmail', 'actorName', 'erasedAt'];
/**
 * For an entry of leaf version 1, which has no actor type: a user acted if a field of the actor is set or was erased.
 */
const actorTypeBefore = {
  from: ACTED,
  tell: (row: Row): ActorType =>
    ACTED.some((name) => row[snake(name)] != null) ? ActorType.USER : ActorType.SYSTEM,
};

/**
 * The fields of an entry, in REST's order. Columns of the INSERT and the SELECT, rows as entries, the leaf, both row
 * checks of verification, REST, exports and erasure derive from it. Adding a field takes a line here, a migration with
 * its column, and its description in log-entry.entity.ts.
 */
export const FIELDS: readonly Field[] = [
  field('id', uuid, { sealed: 'leaf', export: 1, standard: true, searched: true }),
  field('module', text, { sealed: 'leaf', export: 3, standard: true, searched: true }),
  field('action', text, { sealed: 'leaf', export: 4, standard: true, searched: true }),
  field('severity', oneOf(SEVERITIES), { sealed: 'leaf', export: 5, standard: true }),
  field('resourceType', nullable(text), { sealed: 'leaf', export: 11, standard: true, searched: true }),
  field('resourceId', nullable(text), { sealed: 'leaf', export: 12, standard: true, searched: true }),
  field('data', nullable(json), {
    sealed: 'data',
    export: 25,
    standard: true,
    personal: true,
    searched: true,
  }),
  field('actorId', nullable(text), { sealed: 'leaf', export: 6, standard: true, searched: true }),
  field('actorEmail', nullable(text), {
    sealed: 'identity',
    export: 7,
    standard: true,
    personal: true,
    searched: true,
  }),
  field('actorName', nullable(text), {
    sealed: 'identity',
    export: 8,
    standard: true,
    personal: true,
    searched: true,
  }),
  field('tenantId', uuid, { sealed: 'leaf', export: 9, standard: true }),
  field('clientId', nullable(uuid), { sealed: 'leaf', export: 10, standard: true }),
  field('ipAddress', nullable(address), {
    sealed: 'identity',
    export: 13,
    standard: true,
    personal: true,
    searched: true,
  }),
  field('userAgent', nullable(text), { sealed: 'identity', export: 22, personal: true, searched: true }),
  field('requestId', nullable(text), { sealed: 'leaf', export: 23, searched: true }),
  field('createdAt', instant, { sealed: 'leaf', export: 2, standard: true }),
  field('origin', oneOf(ORIGINS), { sealed: 'leaf', export: 14 }),
  field('occurredAt', instant, { sealed: 'leaf', export: 15 }),
  // Stored in reel_log_sequence, since an entry's row is never written again.
  field('sequence', nullable(sequence), { sealed: null, written: false, export: 16 }),
  field('onBehalfOfId', nullable(text), { sealed: 'leaf', export: 18, searched: true }),
  field('actorType', oneOf(ACTOR_TYPES), { sealed: 'leaf', since: 2, export: 17, before: actorTypeBefore }),
  field('outcome', nullable(oneOf(OUTCOMES)), { sealed: 'leaf', since: 2, export: 21 }),
  field('onBehalfOfName', nullable(text), {
    sealed: 'identity',
    since: 2,
    export: 19,
    personal: true,
    searched: true,
  }),
  field('resourceName', nullable(text), {
    sealed: 'identity',
    since: 2,
    export: 20,
    personal: true,
    searched: true,
  }),
  field('repaired', list, { sealed: 'leaf', since: 2, export: 24 }),
  field('erasedAt', nullable(instant), { sealed: null, written: false, rest: false }),
];

/**
 * Columns of reel_log_entries beside the fields: what is made of an entry when it is written. `since`: the first leaf
 * version whose entries have it.
 */
export const DERIVED_COLUMNS = [
  { column: 'leaf_version', type: 'smallint', since: 1, personal: false },
  { column: 'actor_email_folded', type: 'text', since: 1, personal: true },
  { column: 'actor_name_folded', type: 'text', since: 1, personal: true },
  // Erasure recomputes it.
  { column: 'search_text', type: 'text', since: 1, personal: false },
  { column: 'identity_salt', type: 'bytea', since: 1, personal: true },
  { column: 'data_salt', type: 'bytea', since: 1, personal: true },
  { column: 'identity_digest', type: 'bytea', since: 1, personal: false },
  { column: 'data_digest', type: 'bytea', since: 1, personal: false },
  { column: 'key_digest', type: 'bytea', since: 1, personal: false },
] as const;

export type DerivedColumn = (typeof DERIVED_COLUMNS)[number]['column'];

/** Every column of reel_log_entries that is sealed or derived from sealed ones, the id first. */
export const storedColumns = (fields: readonly Field[] = FIELDS): { column: string; type: string }[] => [
  ...fields
    .filter(({ column }) => column !== 'sequence')
    .map(({ column, kind }) => ({ column, type: kind.type })),
  // Not key_digest, which is over a row of reel_log_keys.
  ...DERIVED_COLUMNS.filter(({ column }) => column !== 'key_digest'),
];

/** Columns that an erasure sets to null. */
export const personalColumns = (fields: readonly Field[] = FIELDS): string[] =>
  [...fields, ...DERIVED_COLUMNS].filter(({ personal }) => personal).map(({ column }) => column);

/** Columns that are null in entries of that leaf version, since only later ones have them. */
export const laterColumns = (version: number, fields: readonly Field[] = FIELDS): string[] =>
  [...fields, ...DERIVED_COLUMNS].filter(({ since }) => since > version).map(({ column }) => column);

/** The fields that one part of a leaf holds, in the order of RFC 8785. */
export const sealedFields = (fields: readonly Field[], part: Sealed, version: number): Field[] =>
  fields
    .filter(({ sealed, since }) => sealed === part && since <= version)
    .sort((a, b) => (a.column < b.column ? -1 : 1));
