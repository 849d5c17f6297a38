import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { moduleToken, startReel, type TestReel, viewer } from './reel.js';

/** What GraphQL and REST both show: every case here runs through both. Names are those of GraphQL. */

export const TENANT = randomUUID();
export const OTHER = randomUUID();
export const [FIRST, SECOND] = [randomUUID(), randomUUID()] as const;
export const [ANA, BEA] = [randomUUID(), randomUUID()] as const;
export const REQUEST = randomUUID();
export const USER = randomUUID();

type Code =
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'BAD_USER_INPUT'
  | 'CONFLICT'
  | 'NOT_FOUND'
  | 'TOO_MANY_REQUESTS'
  | undefined;
export type Fields = Record<string, unknown>;
export interface Outcome<T> {
  code: Code;
  /** The whole response as text, for what an error must mention. */
  text: string;
  value: T;
}
interface Listed {
  items: Fields[];
  total: number;
}
export interface Exported {
  downloadUrl: string;
  filename: string;
  recordCount: number;
  expiresAt: string;
}
interface Stats {
  totalEntries: number;
  entriesBySeverity: Record<string, number>;
  entriesByModule: Record<string, number>;
  entriesToday: number;
  entriesThisWeek: number;
  precision: string;
  /** null where looking did not stop. */
  searchedUntil: string | null;
}
export interface Wire {
  list(
    token: string | null,
    filter: Fields,
    page?: unknown,
    size?: unknown,
    headers?: object,
  ): Promise<Outcome<Listed>>;
  get(token: string | null, id: string, headers?: object): Promise<Outcome<Fields | null>>;
  stats(token: string | null, headers?: object, filter?: Fields): Promise<Outcome<Stats>>;
  create(token: string | null, input: Fields, key?: string, headers?: object): Promise<Outcome<Fields>>;
  export(
    token: string | null,
    filter: Fields,
    more?: { format?: string; includeData?: boolean },
    headers?: object,
  ): Promise<Outcome<Exported>>;
}

const FIELDS =
  'id module action severity origin actorId actorEmail actorName onBehalfOfId onBehalfOfName actorType outcome resourceName repaired tenantId clientId resourceType resourceId data ipAddress userAgent requestId occurredAt createdAt sequence'.split(
    ' ',
  );
export const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
export const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const spelt = (fields: Fields, as: (name: string) => string) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [as(name), value]));

export let reel: TestReel;

export const graphql: Wire = (() => {
  /** REST's one module, action, severity, outcome and actor are GraphQL's lists of one. */
  const filterOf = (filter: Fields) =>
    Object.fromEntries(
      Object.entries(filter).map(([name, value]) =>
        ['module', 'action', 'actorId', 'outcome'].includes(name)
          ? [`${name}s`, value === '' ? [] : [value]]
          : name === 'severity'
            ? ['severities', value === '' ? [] : [value]]
            : [name, value === '' ? null : value],
      ),
    );
  const ask = async (token: string | null, query: string, variables: object, headers: object = {}) => {
    const { body } = await reel.graphql(token, query, variables, headers as Record<string, string>);
    return { code: body.errors?.[0].extensions.code as Code, text: JSON.stringify(body), data: body.data };
  };
  return {
    async list(token, filter, page, size, headers) {
      const { data, ...rest } = await ask(
        token,
        `query ($filter: LogFilter, $page: Int, $first: Int) {
          logs(filter: $filter, page: $page, first: $first) { nodes { ${FIELDS.join(' ')} } totalCount(exact: true) { value precision } }
        }`,
        { filter: filterOf(filter), page, first: size },
        headers,
      );
      if (data?.logs) expect(data.logs.totalCount.precision).toBe('EXACT');
      return { ...rest, value: { items: data?.logs?.nodes, total: data?.logs?.totalCount.value } };
    },
    async get(token, id, headers) {
      const query = `query ($id: UUID!) { log(id: $id) { ${FIELDS.join(' ')} } }`;
      const { data, ...rest } = await ask(token, query, { id }, headers);
      return { ...rest, value: data?.log ?? null };
    },
    async stats(token, headers, filter = {}) {
      const map = (counts: { key: string; count: number }[]) =>
        Object.fromEntries(counts.filter(({ count }) => count > 0).map(({ key, count }) => [key, count]));
      const { data, ...rest } = await ask(
        token,
        `query ($filter: LogFilter) { logStats(filter: $filter) {
          totalEntries entriesBySeverity { key count } entriesByModule { key count } entriesToday entriesThisWeek precision searchedUntil
        } }`,
        { filter: filterOf(filter) },
        headers,
      );
      const stats = data?.logStats;
      return {
        ...rest,
        value: stats && {
          ...stats,
          entriesBySeverity: map(stats.entriesBySeverity),
          entriesByModule: map(stats.entriesByModule),
        },
      };
    },
    async create(token, input, idempotencyKey, headers) {
      const { data, ...rest } = await ask(
        token,
        `mutation ($input: CreateLogInput!) { createLog(input: $input) { ${FIELDS.join(' ')} } }`,
        { input: { ...input, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) } },
        headers,
      );
      return { ...rest, value: data?.createLog };
    },
    async export(token, filter, more, headers) {
      const { data, ...rest } = await ask(
        token,
        'mutation ($input: ExportLogsInput!) { exportLogs(input: $input) { downloadUrl filename recordCount expiresAt } }',
        { input: { filter: filterOf(filter), ...more } },
        headers,
      );
      return { ...rest, value: data?.exportLogs };
    },
  };
})();

export const rest: Wire = (() => {
  const CODES: Record<number, Code> = {
    401: 'UNAUTHENTICATED',
    403: 'FORBIDDEN',
    404: 'NOT_FOUND',
    409: 'CONFLICT',
    422: 'BAD_USER_INPUT',
    429: 'TOO_MANY_REQUESTS',
  };
  const ask = async (
    token: string | null,
    method: string,
    path: string,
    body?: unknown,
    headers: object = {},
  ) => {
    const response = await reel.rest(token, method, path, body, headers as Record<string, string>);
    expect(response.status).toBeLessThan(500);
    if (response.status >= 400) expect(CODES).toHaveProperty(String(response.status));
    return { code: CODES[response.status], text: JSON.stringify(response.body), body: response.body };
  };
  return {
    async list(token, filter, page, size, headers) {
      const given = { ...spelt(filter, snake), page, page_size: size };
      const query = new URLSearchParams(
        Object.entries(given).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, String(value)]],
        ),
      );
      const { body, ...response } = await ask(token, 'GET', `/logs?${query}`, undefined, headers);
      return {
        ...response,
        value: { items: body.items?.map((item: Fields) => spelt(item, camel)), total: body.total },
      };
    },
    async get(token, id, headers) {
      const { body, code, text } = await ask(
        token,
        'GET',
        `/logs/${encodeURIComponent(id)}`,
        undefined,
        headers,
      );
      // GraphQL's null is REST's 404.
      return { code: code === 'NOT_FOUND' ? undefined : code, text, value: code ? null : spelt(body, camel) };
    },
    async stats(token, headers, filter = {}) {
      const query = new URLSearchParams(spelt(filter, snake) as Record<string, string>);
      const { body, ...response } = await ask(token, 'GET', `/logs/stats?${query}`, undefined, headers);
      return { ...response, value: { searchedUntil: null, ...spelt(body, camel) } as unknown as Stats };
    },
    async create(token, input, key, headers) {
      const { body, ...response } = await ask(token, 'POST', '/logs', spelt(input, snake), {
        ...headers,
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      });
      return { ...response, value: spelt(body, camel) };
    },
    async export(token, filter, { format, includeData } = {}, headers) {
      const { body, ...response } = await ask(
        token,
        'POST',
        '/logs/export',
        { filter: spelt(filter, snake), format: format?.toLowerCase(), include_data: includeData },
        headers,
      );
      return { ...response, value: spelt(body, camel) as unknown as Exported };
    },
  };
})();

export const WIRES: [string, Wire][] = [
  ['GraphQL', graphql],
  ['REST', rest],
];

/** What is stored before the cases run, oldest first, as the server returned it. */
export const trail: Fields[] = [];
export const ENTRY = { module: 'guardian', action: 'users.create', tenantId: TENANT };
const WRITTEN: Fields[] = [
  {
    severity: 'DEBUG',
    clientId: FIRST,
    actorId: ANA,
    actorEmail: 'Ana@Example.com',
    data: { note: '50% off_now' },
  },
  { action: 'users.update', severity: 'INFO', clientId: FIRST, actorId: ANA, data: { note: '500 offXnow' } },
  {
    action: 'users',
    severity: 'WARNING',
    clientId: SECOND,
    actorId: BEA,
    data: { GRÖSSE: 'ÄÖÜ Straße ΟΔΟΣ' },
  },
  { action: 'usersx.create', severity: 'ERROR', resourceType: 'user', resourceId: USER.toUpperCase() },
  { action: 'users.*', severity: 'CRITICAL', resourceType: 'user', resourceId: 'Case/Sensitive' },
  {
    action: 'users.deep.er',
    requestId: REQUEST,
    data: { list: [1.5, true, null, { deep: 'in"side\\out' }] },
  },
  {
    action: '*',
    module: 'aurora',
    requestId: REQUEST,
    clientId: FIRST,
    data: { a: 'left', b: 'right', n: 12345678 },
  },
  { module: 'Guardian', data: { text: 'two\nlines\tand a tab' } },
  { module: 'gu,ardian "q" é', action: 'a b', resourceType: 'User', data: {} },
  { module: 'aurora', severity: 'ERROR', resourceId: '42', data: { before: { a: 1 }, after: { a: 2 } } },
  {
    module: 'aurora',
    severity: 'CRITICAL',
    clientId: SECOND,
    actorId: ANA,
    actorName: '=1+1',
    ipAddress: '10.1.2.3',
  },
];

export let module: string;
export let ana: string;

/** Starts the server that both ask. */
export async function openReel(settings: Record<string, string>): Promise<void> {
  // Reel's own entries about reads would be counted, too.
  reel = await startReel({ REEL_AUDIT_READS: 'off', ...settings });
}

export async function startTrail(): Promise<void> {
  await openReel({ REEL_BROWSER_ENTRIES_PER_MINUTE: '1000' });
  module = await moduleToken();
  ana = await viewer(TENANT);
  // Files share it.
  trail.length = 0;
  for (const [at, fields] of WRITTEN.entries()) {
    const { code, value, text } = await WIRES[at % 2]![1].create(module, { ...ENTRY, ...fields });
    expect({ code, text }).toEqual({ code: undefined, text });
    trail.push(value);
  }
  for (let at = 0; at < 3; at++) await rest.create(module, { ...ENTRY, tenantId: OTHER, module: 'theirs' });
}

export const idsOf = (items: Fields[]) => items.map((item) => item.id);
export const newestFirst = (keep: (entry: Fields, at: number) => boolean) =>
  idsOf(trail.filter(keep)).reverse();
export const without = (entry: Fields, ...names: string[]) =>
  Object.fromEntries(Object.entries(entry).filter(([name]) => !names.includes(name)));
