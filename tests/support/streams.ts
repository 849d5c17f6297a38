import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { grant, moduleToken, person, startReel, type TestReel } from './reel.js';

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

/** What makes a webhook stream from the tenant's first entry on. */
export const webhookTo = ({ url }: { readonly url: string }, more: object = {}) => ({
  name: 'x',
  kind: 'WEBHOOK',
  secret: SECRET,
  settings: { url },
  after: 0,
  ...more,
});

export const manager = (tenantId: string) =>
  person({
    grants: [grant(tenantId, 'reel.streams.manage:ACCOUNT'), grant(tenantId, 'reel.logs.view:ACCOUNT')],
  });

export const STREAM = `id name kind format query clientId settings hasSecret state position lagEntries lagSeconds lastDeliveredAt
  lastError attempts { at first last delivered answer } parkedCount createdAt`;

/** Calls of somebody who manages a tenant's streams. */
export class StreamCalls {
  private constructor(
    readonly reel: Pick<TestReel, 'graphql'>,
    readonly token: string,
  ) {}

  static async of(reel: Pick<TestReel, 'graphql'>, tenantId: string): Promise<StreamCalls> {
    return new StreamCalls(reel, await manager(tenantId));
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests access the answer by name.
  async ask(query: string, variables: object = {}): Promise<any> {
    const { body } = await this.reel.graphql(this.token, query, variables);
    if (body.errors) throw new Error(JSON.stringify(body.errors));
    return body.data;
  }

  /** The error of a call that is refused. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  async refusal(query: string, variables: object = {}): Promise<any> {
    const { body } = await this.reel.graphql(this.token, query, variables);
    expect(body.errors).toHaveLength(1);
    return body.errors[0];
  }

  async create(input: object) {
    const { createStream } = await this.ask(
      `mutation ($input: CreateStreamInput!) { createStream(input: $input) { ${STREAM} } }`,
      { input: { name: 'a stream', kind: 'WEBHOOK', secret: SECRET, ...input } },
    );
    return createStream;
  }

  async update(id: string, input: object) {
    const { updateStream } = await this.ask(
      `mutation ($id: UUID!, $input: UpdateStreamInput!) { updateStream(id: $id, input: $input) { ${STREAM} } }`,
      { id, input },
    );
    return updateStream;
  }

  async get(id: string) {
    return (await this.ask(`query ($id: UUID!) { stream(id: $id) { ${STREAM} } }`, { id })).stream;
  }

  /** Of pauseStream, resumeStream and the like. */
  async act(name: string, id: string, args = '') {
    const data = await this.ask(`mutation ($id: UUID!) { ${name}(id: $id${args}) { ${STREAM} } }`, { id });
    return data[name];
  }

  async test(id: string) {
    return (await this.ask('mutation ($id: UUID!) { testStream(id: $id) { delivered answer } }', { id }))
      .testStream;
  }

  async parked(id: string) {
    const query = 'query ($id: UUID!) { parkedEntries(id: $id) { sequence entryId reason parkedAt } }';
    return (await this.ask(query, { id })).parkedEntries;
  }

  async until(
    id: string,
    holds: (stream: Awaited<ReturnType<StreamCalls['get']>>) => void | Promise<void>,
    ms = 100_000,
  ) {
    return vi.waitFor(
      async () => {
        const stream = await this.get(id);
        await holds(stream);
        return stream;
      },
      { timeout: ms, interval: 50 },
    );
  }
}

/**
 * Stores entries of a module and waits until they are sealed, since a stream's lag counts none before; returns
 * their ids.
 */
export async function store(
  reel: Pick<TestReel, 'rest' | 'graphql'>,
  token: string,
  tenantId: string,
  entries: readonly object[],
): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < entries.length; at += 500) {
    const made = await reel.rest(token, 'POST', '/logs/batch', {
      entries: entries
        .slice(at, at + 500)
        .map((entry) => ({ module: 'billing', action: 'invoices.create', tenant_id: tenantId, ...entry })),
    });
    expect(made.body.results.map(({ status }: { status: number }) => status)).not.toContain(422);
    ids.push(...made.body.results.map(({ entry }: { entry: { id: string } }) => entry.id));
  }
  const calls = await StreamCalls.of(reel, tenantId);
  const id = ids.at(-1);
  await vi.waitFor(
    async () => {
      const { log } = await calls.ask('query ($id: UUID!) { log(id: $id) { sequence } }', { id });
      expect(log.sequence).not.toBeNull();
    },
    { timeout: 60_000, interval: 20 },
  );
  return ids;
}

/** A Reel for all tests of a file, and a module's token for it: there when they run. */
export function reelOfFile(): { readonly reel: TestReel; readonly token: string } {
  const made = {} as { reel: TestReel; token: string };
  beforeAll(async () => {
    made.reel = await startReel();
    made.token = await moduleToken();
  });
  afterAll(() => made.reel?.close());
  return made;
}

/** Of a tenant of its own whose entries streams are to deliver: what is called, and the entries' ids. */
export async function tenantWith(
  { reel, token }: { readonly reel: TestReel; readonly token: string },
  entries: readonly object[],
) {
  const tenant = randomUUID();
  const calls = await StreamCalls.of(reel, tenant);
  const ids = await store(reel, token, tenant, entries);
  return {
    tenant,
    calls,
    ids,
    /** A stream of all of it, and of the record that it was made. */
    stream: (input: object) => calls.create({ after: 0, ...input }),
    /** Resolves when a stream has delivered all of that. */
    whole: (id: string) =>
      calls.until(id, ({ position, lagEntries }) => {
        expect(position).toBeGreaterThan(entries.length);
        expect(lagEntries).toBe(0);
      }),
  };
}
