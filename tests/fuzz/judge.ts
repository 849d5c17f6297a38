/** Whether an answer is a deliberate one, by the contracts of docs/errors.md, rest.md and graphql.md. */
import { ERROR_STATUS } from '../../src/errors.js';
import type { HttpAnswer, HttpCase, SocketAnswer } from './wire.js';

const INTERNALS =
  /INTERNAL_SERVER_ERROR|Internal server error|node_modules|\bat (?:\w+\.)*\w+ \((?:file|\/)|\bselect .+ from reel_|insert into|relation "|ECONN|undefined is not|Cannot read prop/i;
/** Of what a person's credential may be told; far more than any refusal needs. */
const MAX_REFUSAL = 64 * 1024;
const CODES = new Set<unknown>([...Object.keys(ERROR_STATUS), 'PERSISTED_QUERY_NOT_SUPPORTED']);

/** What is wrong with the answer; null: nothing. */
export function faultOf(
  { path, method, cut }: HttpCase,
  { status, headers, body }: HttpAnswer,
): string | null {
  if (status === 0) return cut === undefined ? 'no answer' : null;
  if (status >= 500 && status !== 503 && status !== 505) return `status ${status}: ${body.slice(0, 300)}`;
  if (status === 503 && !headers.has('retry-after')) return '503 without Retry-After';
  // What Node refuses itself, being no HTTP, has no more than a status.
  if (headers.size <= 2 && body === '')
    return [400, 408, 413, 417, 431, 505].includes(status) ? null : `bare ${status}`;
  if (headers.get('x-content-type-options') !== 'nosniff') return `${status} without nosniff`;
  if (status < 400) {
    const value = path.startsWith('/graphql') ? readJson(body) : undefined;
    return isObject(value) && 'errors' in value ? graphqlFault(value) : null;
  }
  if (method === 'HEAD' || body === '') return null;
  if (INTERNALS.test(body)) return `tells of its inside: ${body.slice(0, 300)}`;
  if (body.length > MAX_REFUSAL) return `a refusal of ${body.length} characters`;
  const value = readJson(body);
  if (!isObject(value)) return `${status} that is no JSON object: ${body.slice(0, 300)}`;
  if (path.startsWith('/graphql') && 'errors' in value) return graphqlFault(value);
  return path.startsWith('/api/') ? restFault(status, value) : null;
}

function graphqlFault({ errors }: Record<string, unknown>): string | null {
  if (!Array.isArray(errors) || errors.length === 0) return 'errors is no list';
  for (const each of errors) {
    const { message, extensions } = (each ?? {}) as { message?: unknown; extensions?: { code?: unknown } };
    if (typeof message !== 'string' || message === '')
      return `an error without a message: ${JSON.stringify(each)}`;
    if (!CODES.has(extensions?.code)) return `an error of code ${extensions?.code}: ${message.slice(0, 200)}`;
  }
  return null;
}

function restFault(status: number, { detail }: Record<string, unknown>): string | null {
  if (status !== 422) return typeof detail === 'string' ? null : `detail of a ${status} is no text`;
  if (!Array.isArray(detail) || detail.length === 0) return 'detail of a 422 is no list';
  for (const each of detail as Record<string, unknown>[]) {
    const [where] = Array.isArray(each.loc) ? each.loc : [];
    if (!['query', 'path', 'header', 'body'].includes(where)) return `loc ${JSON.stringify(each.loc)}`;
    if (typeof each.type !== 'string' || typeof each.msg !== 'string') return JSON.stringify(each);
  }
  return null;
}

/** The protocol's own codes, those of docs/errors.md, and what an upgrade is refused with. */
const CLOSE_CODES = new Set([
  ...[0, 1000, 1002, 1003, 1005, 1007, 1008, 1009, 1013],
  ...[4400, 4401, 4403, 4406, 4408, 4409, 4429, 4503, 4004],
  ...[200, 400, 401, 403, 404, 405, 413, 426, 431],
]);

export function socketFault({ code, reason, messages }: SocketAnswer): string | null {
  if (!CLOSE_CODES.has(code)) return `closed with ${code} ${reason}`;
  const said = [reason, ...messages].join('\n');
  if (INTERNALS.test(said)) return `tells of its inside: ${said.slice(0, 300)}`;
  if (said.length > MAX_REFUSAL) return `${said.length} characters`;
  for (const text of messages) {
    const message = readJson(text);
    if (!isObject(message) || message.type !== 'error') continue;
    const fault = graphqlFault({ errors: message.payload });
    if (fault !== null) return fault;
  }
  return null;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
