import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { moduleToken, startReel, type TestReel, viewer } from '../../support/reel.js';
import { camel, type Fields, snake } from '../../support/wires.js';

/** Records of other systems (tests/fixtures/records): each goes in whole by every door, and its query lines find it by every way out. */
interface OtherRecord {
  repair?: true;
  input: Fields;
  stored: Fields;
  find: string[];
}

const FOLDER = new URL('../../fixtures/records/', import.meta.url);
const RECORDS = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name): [string, OtherRecord] => [
    name.replace('.json', ''),
    JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')),
  ]);

const FIELDS = `id module action severity actorId actorEmail actorName actorType onBehalfOfId onBehalfOfName outcome resourceType resourceId
  resourceName data ipAddress userAgent requestId repaired occurredAt`;

let reel: TestReel;
let writer: string;
beforeAll(async () => {
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  writer = await moduleToken();
});
afterAll(() => reel.close());

const spelt = (fields: Fields, as: (name: string) => string) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [as(name), value]));

/** Each answers the stored entry by GraphQL's names, or null where the entry was refused. */
const DOORS: Record<string, (input: Fields) => Promise<Fields | null>> = {
  createLog: async (input) => {
    const { body } = await reel.graphql(
      writer,
      `mutation ($input: CreateLogInput!) { createLog(input: $input) { ${FIELDS} } }`,
      { input },
    );
    if (body.errors) expect(body.errors[0].extensions.code).toBe('BAD_USER_INPUT');
    return body.data?.createLog ?? null;
  },
  createLogs: async (input) => {
    const { body } = await reel.graphql(
      writer,
      `mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { ${FIELDS} } }`,
      { inputs: [input] },
    );
    return body.data?.createLogs?.[0] ?? null;
  },
  writeLogs: async (input) => {
    const { body } = await reel.graphql(
      writer,
      `mutation ($inputs: [CreateLogInput!]!) { writeLogs(inputs: $inputs) { code entry { ${FIELDS} } } }`,
      { inputs: [input] },
    );
    const [result] = body.data.writeLogs;
    if (!result.entry) expect(result.code).toBe('BAD_USER_INPUT');
    return result.entry;
  },
  'POST /logs': async ({ idempotencyKey, ...input }) => {
    const key: Record<string, string> = idempotencyKey ? { 'idempotency-key': String(idempotencyKey) } : {};
    const { status, body } = await reel.rest(writer, 'POST', '/logs', spelt(input, snake), key);
    if (status !== 201) expect(status).toBe(422);
    return status === 201 ? spelt(body, camel) : null;
  },
  'POST /logs/batch': async (input) => {
    const { status, body } = await reel.rest(writer, 'POST', '/logs/batch', {
      entries: [spelt(input, snake)],
    });
    expect(status).toBe(200);
    const [result] = body.results;
    if (result.status !== 201) expect(result.status).toBe(422);
    return result.entry ? spelt(result.entry, camel) : null;
  },
};

/** Ids of what a query line finds. */
const WAYS_OUT: Record<string, (token: string, query: string) => Promise<string[]>> = {
  GraphQL: async (token, query) => {
    const { body } = await reel.graphql(
      token,
      'query ($query: String) { logs(filter: { query: $query }) { nodes { id } } }',
      { query },
    );
    expect(body.errors).toBeUndefined();
    return body.data.logs.nodes.map(({ id }: { id: string }) => id);
  },
  REST: async (token, query) => {
    const { status, body } = await reel.rest(token, 'GET', `/logs?${new URLSearchParams({ query })}`);
    expect({ status, query, body }).toMatchObject({ status: 200 });
    return body.items.map(({ id }: { id: string }) => id);
  },
};

describe.each(Object.keys(DOORS))('%s', (door) => {
  const tenantId = randomUUID();
  const write = (input: Fields) => DOORS[door]!({ ...input, tenantId });
  let token: string;
  beforeAll(async () => {
    token = await viewer(tenantId);
  });

  test.each(RECORDS)('%s goes in whole and is found', async (_name, { input, stored, find, repair }) => {
    if (repair) expect(await write({ ...input, repair: false, idempotencyKey: randomUUID() })).toBeNull();
    const entry = await write(input);
    expect(entry).toMatchObject({ ...stored, module: input.module, action: input.action, data: input.data });
    for (const [way, search] of Object.entries(WAYS_OUT))
      for (const query of [...find, `id:${entry!.id}`])
        expect({ way, query, found: await search(token, query) }).toEqual({
          way,
          query,
          found: expect.arrayContaining([entry!.id]),
        });
    // The same again is the same entry.
    if (input.idempotencyKey) expect((await write(input))?.id).toBe(entry!.id);
  });
});
