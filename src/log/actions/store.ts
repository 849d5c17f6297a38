import canonicalize from 'canonicalize';
import { type RawBuilder, sql } from 'kysely';
import type { WriteDatabase } from '../../database/database.js';
import type { Row, Statement } from '../../database/execute.js';
import { conflict } from '../../errors.js';
import { SEVERITIES } from '../entry/severity.js';
import type { JsonSchema } from './json-schema.js';
import type { Redaction } from './registered-action.js';
import type { Registration } from './registration.js';

/** Actions belong to the installation, so they are read outside any tenant. */
export interface ActionDatabase extends WriteDatabase {
  ask<R extends Row = Row>(statement: Statement): Promise<R[]>;
}

/** A registration with its module. */
export interface StoredRegistration extends Registration {
  readonly module: string;
}

interface ActionRow extends Row {
  module: string;
  action: string;
  version: number;
  schema: string | null;
  severity: number | null;
  resource: string | null;
  redaction: Redaction[];
  description: string | null;
}

const MAX_ACTIONS = 1_000;
const MAX_VERSIONS = 20;
/** Of all schemas of a module: servers keep them in memory. */
const MAX_SCHEMA_BYTES = 4 * 1_048_576;

const COLUMNS = sql`module, action, version, schema, severity, resource, redaction, description`;

/**
 * Stores a module's registrations, all or none. What is there already stays, but for its description. Errors: CONFLICT where
 * a version is registered with other content, or the module has too many; UNAVAILABLE.
 */
export function storeRegistrations(
  database: WriteDatabase,
  module: string,
  registrations: readonly Registration[],
): Promise<void> {
  return database.write([], async (execute) => {
    // So that two who register for a module at once are counted one after the other.
    await execute(sql`select pg_advisory_xact_lock(hashtextextended(${`reel_log_actions/${module}`}, 0))`);
    const rows = await execute<ActionRow>(
      sql`select ${COLUMNS} from reel_log_actions where module = ${module}`,
    );
    const present = new Map(rows.map((row) => [keyOf(row), row]));
    const added: Registration[] = [];
    for (const registration of registrations) {
      const row = present.get(keyOf(registration));
      if (row === undefined) added.push(registration);
      else refuseOther(registration, toRegistration(row));
    }
    refuseTooMany(module, [...rows.map(toSize), ...added.map(registrationSize)]);
    if (added.length > 0)
      await execute(
        sql`insert into reel_log_actions (${COLUMNS}) values ${sql.join(added.map((each) => valuesOf(module, each)))}`,
      );
    for (const registration of registrations) {
      const row = present.get(keyOf(registration));
      if (row && row.description !== registration.description)
        await execute(sql`update reel_log_actions set description = ${registration.description}, revision = revision + 1
          where module = ${module} and action = ${registration.action} and version = ${registration.version}`);
    }
  });
}

/** A number that goes up with whatever is registered. */
export async function readRevision(database: Pick<ActionDatabase, 'ask'>): Promise<string> {
  const [row] = await database.ask<{ revision: string }>(
    sql`select coalesce(sum(revision), 0)::text as revision from reel_log_actions`,
  );
  return row!.revision;
}

/** Every version of every action, oldest first, by module and action. */
export async function readRegistrations(
  database: Pick<ActionDatabase, 'ask'>,
): Promise<StoredRegistration[]> {
  const rows = await database.ask<ActionRow>(
    sql`select ${COLUMNS} from reel_log_actions order by module, action, version`,
  );
  return rows.map((row) => ({ module: row.module, ...toRegistration(row) }));
}

const keyOf = ({ action, version }: Pick<Registration, 'action' | 'version'>): string =>
  `${version} ${action}`;

const toRegistration = (row: ActionRow): Registration => ({
  action: row.action,
  version: row.version,
  description: row.description,
  severity: row.severity === null ? null : SEVERITIES[row.severity]!,
  resourceType: row.resource,
  schema: row.schema === null ? null : (JSON.parse(row.schema) as JsonSchema),
  redact: row.redaction,
});

const valuesOf = (module: string, each: Registration): RawBuilder<unknown> =>
  sql`(${module}, ${each.action}, ${each.version}::integer, ${each.schema && JSON.stringify(each.schema)},
    ${each.severity && SEVERITIES.indexOf(each.severity)}::smallint, ${each.resourceType}, ${JSON.stringify(each.redact)}::jsonb,
    ${each.description})`;

/** What must stay of a version. */
const CONTENT = ['schema', 'severity', 'resourceType', 'redact'] as const;

/** Errors: CONFLICT that names what differs. */
function refuseOther(registration: Registration, stored: Registration): void {
  const { action, version } = registration;
  for (const name of CONTENT)
    if (canonicalize(registration[name]) !== canonicalize(stored[name]))
      throw conflict(
        `${action}: expected version ${version} with the ${name} that it is registered with, got another (a change needs a new version)`,
      );
}

interface Size {
  action: string;
  bytes: number;
}

const toSize = ({ action, schema }: ActionRow): Size => ({
  action,
  bytes: schema === null ? 0 : Buffer.byteLength(schema),
});
const registrationSize = ({ action, schema }: Registration): Size => ({
  action,
  bytes: schema === null ? 0 : Buffer.byteLength(JSON.stringify(schema)),
});

/** Errors: CONFLICT. */
function refuseTooMany(module: string, sizes: readonly Size[]): void {
  const versions = Map.groupBy(sizes, ({ action }) => action);
  if (versions.size > MAX_ACTIONS)
    throw conflict(`${module}: expected at most ${MAX_ACTIONS} registered actions, got ${versions.size}`);
  for (const [action, { length }] of versions)
    if (length > MAX_VERSIONS)
      throw conflict(`${action}: expected at most ${MAX_VERSIONS} versions, got ${length}`);
  const bytes = sizes.reduce((sum, each) => sum + each.bytes, 0);
  if (bytes > MAX_SCHEMA_BYTES)
    throw conflict(`${module}: expected at most ${MAX_SCHEMA_BYTES} bytes of schemas, got ${bytes}`);
}
