import { z } from 'zod';
import { ACTOR_TYPES } from '../log/entry/actor-type.js';
import { TEXT_BOUNDS } from '../log/entry/bounds.js';
import { MAX_DATA_BYTES, MAX_DATA_LEVELS } from '../log/entry/check-data.js';
import { FIELDS, type Field } from '../log/entry/fields.js';
import { OUTCOMES } from '../log/entry/outcome.js';
import { SEVERITIES } from '../log/entry/severity.js';

/**
 * An entry as it is reported and as it is answered, for openapi.json. What is reported is checked by log/entry, for every
 * interface alike, within the same bounds; a test holds the two against each other.
 */

const MEANINGS: Readonly<Record<string, string>> = {
  id: 'UUIDv7 whose time is created_at.',
  module: 'The module that recorded the action.',
  action: 'What was done, for example users.create.',
  severity: 'How grave it is.',
  resource_type: 'What kind of thing it was done to.',
  resource_id: 'Which one; a UUID in lower case.',
  data: 'What else the module says.',
  actor_id: 'Who really acted: any identifier but an e-mail address.',
  actor_email: "The actor's e-mail address at the time.",
  actor_name: "The actor's name at the time.",
  tenant_id: 'The tenant whose trail this is.',
  client_id: 'The client of the tenant that it is about.',
  ip_address: 'Where the actor was.',
  user_agent: 'What the actor used.',
  request_id: 'Ties together the entries of one request.',
  created_at: 'When Reel stored it: UTC, microseconds.',
  origin: 'How the entry came in.',
  occurred_at: 'When the action happened.',
  sequence: "Position in the tenant's sealed log; null until it is sealed.",
  on_behalf_of_id: 'For whom the actor acted.',
  actor_type: 'What kind of actor acted.',
  outcome: 'How the action ended; null where nobody said.',
  on_behalf_of_name: 'What people call whom the actor acted for.',
  resource_name: 'What people call it.',
  repaired: 'Fields that were mended when the entry came in.',
};

/** Errors: Error for a field that nobody has described. */
function meaningOf(name: string): string {
  const meaning = MEANINGS[name];
  if (meaning === undefined) throw new Error(`expected a description of the field ${name}`);
  return meaning;
}

export const uuid = z.string().meta({ format: 'uuid' });
/** UTC with microseconds. */
export const instant = z
  .string()
  .meta({ format: 'date-time', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$' });

/** Told apart by the type of its column. */
function answered({ kind }: Field): z.ZodType {
  if (kind.names) return z.enum(kind.names as readonly [string, ...string[]]);
  if (kind.type === 'uuid') return uuid;
  if (kind.type === 'bigint') return z.int().min(1);
  if (kind.type === 'jsonb') return z.record(z.string(), z.unknown());
  if (kind.type === 'timestamp with time zone') return instant;
  if (kind.type === 'ARRAY') return z.array(z.string());
  return z.string();
}

/** An entry with every field, in the order in which they stand. */
export const ENTRY: z.ZodObject = z.strictObject(
  Object.fromEntries(
    FIELDS.filter(({ rest }) => rest).map((field) => [
      field.column,
      (field.nullable ? answered(field).nullable() : answered(field)).describe(meaningOf(field.column)),
    ]),
  ),
);

type Bounded = keyof typeof TEXT_BOUNDS;
const required = (field: Bounded) =>
  z.string().meta({ minLength: 1, maxLength: TEXT_BOUNDS[field].characters });
const optional = (field: Bounded) => z.string().meta({ maxLength: TEXT_BOUNDS[field].characters }).nullish();
const modulesOnly = (schema: z.ZodType, name: string) =>
  schema.describe(`${meaningOf(name)} From modules only.`);

const REPORTED = {
  module: required('module').describe(
    "The credential's own module, unless that is *; no control, format or bidirectional characters, no white space around. `reel`, and what looks like it, is reserved.",
  ),
  action: required('action').describe(`${meaningOf('action')} Characters as in \`module\`.`),
  tenant_id: uuid
    .nullish()
    .describe('Required from a module; of a person the tenant of the call, or nothing. Not the nil UUID.'),
  severity: z
    .enum(SEVERITIES)
    .optional()
    .describe(`${meaningOf('severity')} Default INFO.`),
  outcome: z.enum(OUTCOMES).nullish().describe(meaningOf('outcome')),
  resource_type: optional('resourceType').describe(meaningOf('resource_type')),
  resource_id: optional('resourceId').describe(
    `${meaningOf('resource_id')} At most ${TEXT_BOUNDS.resourceId.bytes} bytes.`,
  ),
  resource_name: optional('resourceName').describe(meaningOf('resource_name')),
  data: z
    .record(z.string(), z.unknown())
    .nullish()
    .describe(
      `At most ${MAX_DATA_BYTES} bytes as compact JSON, ${MAX_DATA_LEVELS} levels deep; each number as a double holds it.`,
    ),
  actor_id: optional('actorId').describe(`${meaningOf('actor_id')} Of a person their own id, or nothing.`),
  actor_email: modulesOnly(optional('actorEmail'), 'actor_email'),
  actor_name: modulesOnly(optional('actorName'), 'actor_name'),
  actor_type: modulesOnly(z.enum(ACTOR_TYPES).nullish(), 'actor_type'),
  on_behalf_of_id: modulesOnly(optional('onBehalfOfId'), 'on_behalf_of_id'),
  on_behalf_of_name: modulesOnly(optional('onBehalfOfName'), 'on_behalf_of_name'),
  client_id: z
    .uuid()
    .nullish()
    .describe(`${meaningOf('client_id')} Not the nil UUID.`),
  ip_address: modulesOnly(z.string().nullish(), 'ip_address'),
  user_agent: modulesOnly(optional('userAgent'), 'user_agent'),
  request_id: optional('requestId').describe(
    `${meaningOf('request_id')} From a person, where absent, the request's own.`,
  ),
  occurred_at: z
    .string()
    .meta({ format: 'date-time' })
    .nullish()
    .describe('When it happened: RFC 3339, not more than a day ahead; default when it is stored.'),
  repair: z
    .boolean()
    .optional()
    .describe(
      'Whether descriptive fields that are out of bounds are mended instead of refused. From modules only.',
    ),
};

/** The body that reports one entry. */
export const ENTRY_CREATE = z.strictObject(REPORTED);

/** One entry of a batch. */
export const BATCH_ENTRY = z.strictObject({
  ...REPORTED,
  idempotency_key: required('idempotencyKey')
    .nullish()
    .describe('The same key with the same content is stored once.'),
});
