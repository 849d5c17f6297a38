import type { TestReel } from './reel.js';
import { camel, snake } from './wires.js';

/** Every way by which a module's entries come in over HTTP, as text, so that JSON reaches Reel as it was written. */

/** The members of an entry, each with its JSON text; names are GraphQL's, and may stand twice. */
export type Members = readonly (readonly [name: string, json: string])[];
export type Fields = Record<string, unknown>;

export interface Answer {
  /** undefined where the entry was stored. */
  code: string | undefined;
  /** All that was said of it. */
  text: string;
  /** The stored entry, by GraphQL's names. */
  entry: Fields;
}

export interface Door {
  name: string;
  /** What a faulty entry does to those beside it: nothing; or it refuses them too, at least where its JSON is at fault. */
  neighbours: 'stored' | 'refused' | 'refused for JSON' | 'none';
  /** The answers in the order of the entries. */
  write(reel: TestReel, token: string, entries: readonly Members[]): Promise<Answer[]>;
}

export const FIELDS =
  'id module action severity origin actorId actorEmail actorName onBehalfOfId onBehalfOfName actorType outcome resourceName repaired tenantId clientId resourceType resourceId data ipAddress userAgent requestId occurredAt createdAt'.split(
    ' ',
  );
const SELECTION = FIELDS.join(' ');

const jsonOf = (members: Members) => `{${members.map(([name, json]) => `"${name}":${json}`).join(',')}}`;
const snakeJsonOf = (members: Members) => jsonOf(members.map(([name, json]) => [snake(name), json]));
export const byCamel = (wire: Fields): Fields =>
  Object.fromEntries(Object.entries(wire).map(([name, value]) => [camel(name), value]));

interface Posted {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests access the body by name.
  body: any;
}

async function post(
  reel: TestReel,
  token: string,
  path: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<Posted> {
  const response = await fetch(reel.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body,
  });
  return { status: response.status, body: await response.json() };
}

const refusal = (code: string | undefined, said: unknown): Answer => ({
  code: code ?? 'none',
  text: JSON.stringify(said),
  entry: {},
});
const stored = (entry: Fields): Answer => ({ code: undefined, text: '', entry });

async function mutate(reel: TestReel, token: string, field: string, type: string, value: string) {
  const selection = field === 'writeLogs' ? `code message entry { ${SELECTION} }` : SELECTION;
  const argument = type.startsWith('[') ? 'inputs' : 'input';
  const query = `mutation ($v: ${type}) { ${field}(${argument}: $v) { ${selection} } }`;
  return post(reel, token, '/graphql', `{"query":${JSON.stringify(query)},"variables":{"v":${value}}}`);
}

const one =
  (write: (reel: TestReel, token: string, entry: Members) => Promise<Answer>): Door['write'] =>
  async (reel, token, entries) => {
    const answers: Answer[] = [];
    for (const entry of entries) answers.push(await write(reel, token, entry));
    return answers;
  };

const CODES: Record<number, string> = { 403: 'FORBIDDEN', 409: 'CONFLICT', 422: 'BAD_USER_INPUT' };

const batch =
  (bodyOf: (entries: readonly Members[]) => string, headers = {}): Door['write'] =>
  async (reel, token, entries) => {
    const { status, body } = await post(reel, token, '/api/v1/reel/logs/batch', bodyOf(entries), headers);
    if (status !== 200) return entries.map(() => refusal(CODES[status], body));
    return (body.results as { status: number; entry?: Fields }[]).map((result) =>
      result.entry ? stored(byCamel(result.entry)) : refusal(CODES[result.status], result),
    );
  };

export const DOORS: readonly Door[] = [
  {
    name: 'createLog',
    neighbours: 'none',
    write: one(async (reel, token, entry) => {
      const { body } = await mutate(reel, token, 'createLog', 'CreateLogInput!', jsonOf(entry));
      return body.errors ? refusal(body.errors[0].extensions.code, body) : stored(body.data.createLog);
    }),
  },
  {
    name: 'createLogs',
    neighbours: 'refused',
    async write(reel, token, entries) {
      const value = `[${entries.map(jsonOf)}]`;
      const { body } = await mutate(reel, token, 'createLogs', '[CreateLogInput!]!', value);
      return body.errors
        ? entries.map(() => refusal(body.errors[0].extensions.code, body))
        : body.data.createLogs.map(stored);
    },
  },
  {
    name: 'writeLogs',
    neighbours: 'refused for JSON',
    async write(reel, token, entries) {
      const value = `[${entries.map(jsonOf)}]`;
      const { body } = await mutate(reel, token, 'writeLogs', '[CreateLogInput!]!', value);
      if (body.errors) return entries.map(() => refusal(body.errors[0].extensions.code, body));
      return body.data.writeLogs.map((each: Fields & { code: string; entry: Fields | null }) =>
        each.entry ? stored(each.entry) : refusal(each.code, each),
      );
    },
  },
  {
    name: 'REST create',
    neighbours: 'none',
    write: one(async (reel, token, entry) => {
      const [key] = entry.filter(([name]) => name === 'idempotencyKey');
      const { status, body } = await post(
        reel,
        token,
        '/api/v1/reel/logs',
        snakeJsonOf(entry.filter((member) => member !== key)),
        key ? { 'idempotency-key': JSON.parse(key[1]) as string } : {},
      );
      return status === 201 ? stored(byCamel(body)) : refusal(CODES[status], body);
    }),
  },
  {
    name: 'a JSON batch',
    neighbours: 'stored',
    write: batch((entries) => `{"entries":[${entries.map(snakeJsonOf)}]}`),
  },
  {
    name: 'an NDJSON batch',
    neighbours: 'stored',
    write: batch((entries) => entries.map(snakeJsonOf).join('\n'), {
      'content-type': 'application/x-ndjson',
    }),
  },
];
