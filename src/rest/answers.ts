import { z } from 'zod';
import { CountPrecision } from '../log/counts/log-count.js';
import { SEVERITIES } from '../log/entry/severity.js';
import { ENTRY, instant, uuid } from './entry-shapes.js';

/** What is answered, for openapi.json and for the compiler. */

const count = z.int().min(0);
const precision = z.enum([CountPrecision.EXACT, CountPrecision.AT_LEAST]);
const searchedUntil = instant.describe(
  'Down to when everything was looked at, where the time for it was spent before the end.',
);

export const LIST = z.strictObject({
  items: z.array(ENTRY).describe('Newest first.'),
  total: count.nullable().describe('Entries that match; null with a cursor.'),
  page: z.int().min(1).nullable().describe('null with a cursor.'),
  page_size: z.int().min(1),
  pages: count.nullable().describe('0 where `total` is 0; null with a cursor.'),
  total_precision: precision
    .nullable()
    .describe('AT_LEAST where `total` is a lower bound; null with a cursor.'),
  next_cursor: z.string().nullable().describe('For `after`; null at the end.'),
  previous_cursor: z.string().nullable().describe('For `before`; null at the beginning.'),
  searched_until: searchedUntil.nullable(),
});

export const STATS = z.strictObject({
  total_entries: count,
  entries_by_severity: z
    .partialRecord(z.enum(SEVERITIES), count)
    .describe('Only severities that occur.')
    .meta({ propertyNames: { enum: [...SEVERITIES] } }),
  entries_by_module: z.record(z.string(), count).describe('Only modules that occur.'),
  entries_today: count.describe('Since midnight, UTC.'),
  entries_this_week: count.describe('Since Monday, UTC.'),
  precision: precision.describe('AT_LEAST where every number is a lower bound.'),
  searched_until: searchedUntil.optional(),
});

export const EXPORT = z.strictObject({
  download_url: z.string().describe('Where to fetch the file: a path on this server, with its secret.'),
  filename: z.string(),
  record_count: count.describe('Entries in the file, however late it is fetched.'),
  expires_at: instant,
});

export const FAULT = z.object({
  type: z.string().describe('A stable word for the kind of fault, for example missing or string_too_long.'),
  loc: z
    .array(z.union([z.string(), z.int()]))
    .describe('Where: query, path, header or body, then the field (and an index in a list).'),
  msg: z.string(),
  input: z.unknown().optional().describe('What came, cut.'),
  ctx: z
    .record(z.string(), z.unknown())
    .optional()
    .describe("Of a query line's fault: position, length, fault and suggestion."),
});

/** Of every refusal but 422. */
export const REFUSAL = z.strictObject({ detail: z.string() });
/** Of a 422. */
export const FAULTS = z.strictObject({ detail: z.array(FAULT).min(1) });
/** Of a 500: `error_id` stands in the server's log. */
export const INTERNAL = z.strictObject({ detail: z.string(), error_id: uuid });

const stored = z.strictObject({
  status: z.literal(201),
  entry: ENTRY,
  replayed: z.literal(true).optional().describe('It was stored before under its key.'),
});
const faulty = z.strictObject({ status: z.literal(422), detail: z.array(FAULT).min(1) });
const refused = z.strictObject({
  status: z.int().min(400).max(599).describe('403, 409, 503 and the like.'),
  detail: z.string(),
  error_id: uuid.optional().describe('With 500.'),
});

export const BATCH = z.strictObject({
  results: z.array(z.union([stored, faulty, refused])).describe('In the order of the entries.'),
});
