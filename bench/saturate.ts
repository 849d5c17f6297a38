/** In a worker thread: one tenant's callers, who ask for as much as they can get until the thread is ended. */
import { get } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { type Call, graphql, send } from './load.ts';

export const KINDS = ['reads', 'writes', 'exports', 'tails', 'searches'] as const;
export type Kind = (typeof KINDS)[number];

export interface Saturation {
  url: string;
  kinds: Kind[];
  tenantId: string;
  viewer: Record<string, string>;
  exporter: Record<string, string>;
  module: Record<string, string>;
}

/** What came of the calls so far. */
export interface Served {
  done: Record<Kind, number>;
  /** Answered with OVERLOADED. */
  refused: Record<Kind, number>;
}

const FIELDS =
  'id module action severity actorId actorEmail clientId resourceType resourceId data createdAt sequence';
const CALLERS: Record<Kind, number> = { reads: 64, writes: 16, exports: 8, tails: 150, searches: 32 };
/** A refused caller tries again after this long, whatever Retry-After says. */
const IMPATIENCE_MS = 50;

const entry = (tenantId: string, clientId: string) => ({
  module: 'guardian',
  action: 'users.update',
  tenantId,
  clientId,
  actorId: 'ana',
  actorEmail: 'ana@example.com',
  resourceType: 'user',
  resourceId: '42',
  data: { before: { role: 'viewer' }, after: { role: 'editor' }, note: 'x'.repeat(200) },
});

export const CLIENT = '0196f2f0-0000-7000-8000-00000000c001';

/** Stores so many entries of a client of the tenant. */
export const writing = (
  { url, module, tenantId }: Pick<Saturation, 'url' | 'module' | 'tenantId'>,
  entries: number,
): Call =>
  graphql(url, module, 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }', {
    inputs: Array.from({ length: entries }, () => entry(tenantId, CLIENT)),
  });

function callerOf(kind: Kind, saturation: Saturation): () => Promise<unknown> {
  const { url, viewer, exporter } = saturation;
  switch (kind) {
    case 'reads': {
      const call = graphql(url, viewer, `{ logs(first: 100) { nodes { ${FIELDS} } totalCount { value } } }`);
      return () => send(call);
    }
    case 'writes': {
      const call = writing(saturation, 500);
      return () => send(call);
    }
    case 'searches': {
      const query = `query ($q: String) { logs(filter: { query: $q }) { nodes { id } totalCount(exact: true) { value } } }`;
      // Nothing has it, and no index tells: every entry is looked at.
      const call = graphql(url, viewer, query, { q: 'data.note:nothing' });
      return () => send(call);
    }
    case 'exports': {
      const prepare = graphql(
        url,
        exporter,
        'mutation { exportLogs(input: { format: NDJSON, includeData: true, includeProofs: true }) { downloadUrl } }',
      );
      return async () => {
        const { data } = JSON.parse(await send(prepare)) as {
          data: { exportLogs: { downloadUrl: string } };
        };
        await download(new URL(data.exportLogs.downloadUrl, url).href);
      };
    }
    case 'tails': {
      let caller = 0;
      return async () => {
        caller += 1;
        // Each with another filter, so that none shares another's reads.
        const query = `subscription { logAdded(after: 0, filter: { query: "-resource:user:${caller}" }) { ${FIELDS} } }`;
        await follow({ ...graphql(url, viewer, query), method: 'POST' });
      };
    }
  }
}

/** Reads to the end. */
const download = (url: string): Promise<void> =>
  new Promise((done, fail) =>
    get(url, (response) => {
      if (response.statusCode !== 200) fail(new Error(`got ${response.statusCode}`));
      response.resume().once('end', done).once('error', fail);
    }).once('error', fail),
  );

/** Follows for two seconds, then anew from the first entry. */
async function follow({ url, headers, body }: Call): Promise<void> {
  const gone = AbortSignal.timeout(2_000);
  const accept = { ...headers, accept: 'text/event-stream' };
  const response = await fetch(url, { method: 'POST', headers: accept, body: body!, signal: gone });
  if (response.status !== 200) throw new Error(`got ${response.status}`);
  for await (const _ of response.body!);
}

if (parentPort) {
  const saturation = workerData as Saturation;
  const none = () => Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;
  const served: Served = { done: none(), refused: none() };
  parentPort.on('message', () => parentPort!.postMessage(served));
  for (const kind of saturation.kinds) {
    const work = callerOf(kind, saturation);
    for (let caller = 0; caller < CALLERS[kind]; caller += 1)
      void (async () => {
        for (;;)
          try {
            await work();
            served.done[kind] += 1;
          } catch (error) {
            if ((error as Error).name === 'TimeoutError') served.done[kind] += 1;
            else if (/\b(?:429|503)\b/.test(String(error))) served.refused[kind] += 1;
            else process.stderr.write(`${kind}: ${String(error).slice(0, 300)}\n`);
            await setTimeout(IMPATIENCE_MS);
          }
      })();
  }
}
