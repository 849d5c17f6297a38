import type { FastifyRequest } from 'fastify';
import type { Author } from '../auth/scope.js';
import { type Fault, ReelError } from '../errors.js';
import { bodyText } from '../http/body-text.js';
import { readJson } from '../http/json.js';
import { checkInput, INPUT_NAMES } from '../log/entry/check-entry.js';
import type { CreateLogInput } from '../log/entry/create-log-input.js';
import { camel, snake } from '../log/entry/fields.js';
import { type ExportLogsInput, LogExportFormat } from '../log/export/export-logs-input.js';
import { Fields, isObject, MAX_UNKNOWN, show, unknownName } from './fields.js';
import { readFilterFields, readZone } from './list-query.js';
import { EXPORT_SHAPE } from './shapes.js';

/** The body as a JSON object; every fault of it is kept, and null answered where it is none. */
export async function readBody(
  request: FastifyRequest,
  faults: Fault[],
): Promise<Record<string, unknown> | null> {
  const fault = (type: string, msg: string, input?: unknown) => {
    faults.push({ type, loc: ['body'], msg, input: show(input) });
    return null;
  };
  const bytes = request.body;
  if (!(bytes instanceof Buffer) || bytes.length === 0) return fault('missing', 'Field required');
  let body: unknown;
  let text: string | undefined;
  try {
    text = bodyText(bytes);
    const read = await readJson(text);
    body = read.value;
    faults.push(...read.faults);
  } catch (error) {
    if (error instanceof ReelError) return fault('value_error', error.message);
    return fault('json_invalid', 'JSON decode error', text?.slice(0, 200) ?? bytes.toString('utf8', 0, 200));
  }
  return isObject(body) ? body : fault('model_attributes_type', 'Input should be a valid dictionary', body);
}

/** Fields of an entry in a batch. */
export const ENTRY_FIELDS: readonly string[] = INPUT_NAMES.map(snake);
/** Those of a create body; the idempotency key is a header. */
const CREATE_FIELDS = ENTRY_FIELDS.filter((name) => name !== 'idempotency_key');
/** A person's are taken from the credential and the connection; what the body says of them is ignored. */
const NOT_A_PERSONS: ReadonlySet<string> = new Set(['actor_email', 'actor_name', 'ip_address', 'user_agent']);

/** The entry that the request reports. What stands in its fields is the trade's to check, so they may hold anything. */
export async function readCreateInput(
  request: FastifyRequest,
  author: Author | null,
  faults: Fault[],
): Promise<CreateLogInput> {
  const input = readFields((await readBody(request, faults)) ?? {}, CREATE_FIELDS, author, faults);
  const key = request.headers['idempotency-key'];
  return key === undefined ? input : { ...input, idempotencyKey: String(key) };
}

/** An entry's fields by the names of an input; a fault for each that is not known. */
export function readFields(
  body: Readonly<Record<string, unknown>>,
  known: readonly string[],
  author: Author | null,
  faults: Fault[],
): CreateLogInput {
  const input: Record<string, unknown> = {};
  let unknown = 0;
  for (const [name, value] of Object.entries(body)) {
    if (!known.includes(name)) {
      unknown += 1;
      if (unknown <= MAX_UNKNOWN) faults.push(unknownName(['body'], name, known));
    } else if (author?.kind === 'module' || !NOT_A_PERSONS.has(name)) input[camel(name)] = value;
  }
  return input as unknown as CreateLogInput;
}

const ANY_MODULE: Author = { kind: 'module', module: '*', ip: null, agent: null };
const ANY_TENANT = '00000000-0000-4000-8000-000000000000';

/**
 * The faults of an input that is already refused for others, so that all are reported at once. `author` is null if a
 * header is invalid and the caller so unknown: then whose entry it may be is not checked.
 */
export function inputFaults(input: CreateLogInput, author: Author | null, faults: Fault[]): Fault[] {
  try {
    checkInput(author ? input : { ...input, tenantId: input.tenantId ?? ANY_TENANT }, author ?? ANY_MODULE);
    return [];
  } catch (error) {
    if (!(error instanceof ReelError) || error.code !== 'BAD_USER_INPUT') throw error;
    // Where the body could not be read, nothing is known of its fields.
    const unread = faults.some(({ loc }) => loc[0] === 'body' && loc.length === 1);
    return error.faults.filter(({ loc }) => !unread || loc[0] === 'idempotencyKey');
  }
}

const FORMATS = { csv: LogExportFormat.CSV, json: LogExportFormat.JSON, ndjson: LogExportFormat.NDJSON };

/** `now`: of relative times in the filter's query line. `time_zone` may stand in the filter or beside it. */
export async function readExportInput(
  request: FastifyRequest,
  faults: Fault[],
  now: Date,
): Promise<ExportLogsInput> {
  const body = (await readBody(request, faults)) ?? {};
  const fields = new Fields(body, ['body'], faults);
  const given = fields.read(EXPORT_SHAPE);
  const input: ExportLogsInput = {
    format: FORMATS[given.format ?? 'csv'],
    includeData: given.include_data ?? false,
    includeProofs: given.include_proofs ?? false,
    allFields: given.all_fields ?? false,
    spreadsheet: given.spreadsheet ?? false,
  };
  const filter = new Fields(fields.object('filter') ?? {}, ['body', 'filter'], faults);
  Object.assign(input, readFilterFields(filter, now, readZone(fields)));
  filter.refuseOthers();
  fields.refuseOthers();
  return input;
}
