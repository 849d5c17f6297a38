import type { Command } from 'commander';
import { createClient } from 'graphql-sse';
import { StartError } from '../errors.js';
import { filterOf, filterOptions } from './filter-options.js';
import type { Frame } from './frame.js';
import { integerOption, uuidOption } from './options.js';
import { askGraphql, headersOf, placeOn, type Remote, type RemoteOptions, remoteOf } from './remote.js';

interface TailOptions extends RemoteOptions {
  after?: number;
}

interface Followed {
  sequence: number;
}

const FOLLOW = `subscription ($filter: LogFilter, $after: Count) {
  logAdded(filter: $filter, after: $after) {
    id module action severity origin actorId actorEmail actorName onBehalfOfId tenantId clientId resourceType resourceId
    data ipAddress userAgent requestId occurredAt createdAt sequence
  }
}`;
const NEWEST = '{ logs(first: 100) { nodes { sequence } } }';

/** How long to wait before another try, at first and at most. */
const WAIT_MS = { first: 250, most: 10_000 };

export function tailCommand(program: Command, frame: Frame): void {
  const command = program
    .command('tail')
    .description('follow a trail: print entries in sealed order as they are sealed, one JSON object per line')
    .option('--url <url>', 'URL of the server (default: REEL_URL)')
    .option('--token <token>', 'token of a person who may view (default: REEL_TOKEN)')
    .option('--tenant <id>', 'tenant; required for a person who belongs to several', uuidOption)
    .option('--client <id>', 'only entries of this client', uuidOption)
    .option(
      '--after <sequence>',
      'start after this sequence number; 0 is the beginning (default: from now on)',
      integerOption(0, Number.MAX_SAFE_INTEGER),
    );
  filterOptions(command).action(async (options: TailOptions) => {
    frame.config();
    const remote = remoteOf(options, frame);
    const tail = { filter: filterOf({ ...options }), after: options.after ?? (await lastSequence(remote)) };
    process.once('SIGINT', () => {
      frame.say(`resume with --after ${tail.after ?? 0}`);
      process.exit(0);
    });
    for (let wait = WAIT_MS.first; ; wait = Math.min(2 * wait, WAIT_MS.most)) {
      const before = tail.after;
      await follow(remote, tail, frame);
      if (tail.after !== before) wait = WAIT_MS.first;
      frame.say(`connection lost; resuming after sequence ${tail.after ?? 0}`);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  });
}

/** Writes entries as they come and remembers the last one's sequence; resolves when the connection breaks. Errors: StartError where the server refuses. */
async function follow(
  remote: Remote,
  tail: { filter: object; after: number | null },
  frame: Frame,
): Promise<void> {
  const client = createClient({
    url: placeOn(remote, '/graphql'),
    headers: headersOf(remote),
    retryAttempts: 0,
  });
  try {
    for await (const { data, errors } of client.iterate<{ logAdded: Followed }>({
      query: FOLLOW,
      variables: tail,
    })) {
      const [fault] = errors ?? [];
      if (fault) {
        const code = String(fault.extensions?.code ?? '');
        if (code !== 'UNAVAILABLE' && code !== 'OVERLOADED')
          throw new StartError(`${code}: ${fault.message}`);
        return;
      }
      const entry = data!.logAdded;
      frame.answer({}, entry, JSON.stringify(entry));
      tail.after = entry.sequence;
    }
  } catch (error) {
    if (error instanceof StartError) throw error;
    const { response } = error as { response?: Response };
    if (response && response.status >= 400 && response.status < 500)
      throw new StartError(`expected the server to accept the subscription, got HTTP ${response.status}`);
  } finally {
    client.dispose();
  }
}

/** Where the trail ends now, so that a connection that breaks before the first entry leaves no gap; null where that cannot be told. */
async function lastSequence(remote: Remote): Promise<number | null> {
  const { logs } = await askGraphql<{ logs: { nodes: { sequence: number | null }[] } }>(remote, NEWEST, {});
  const sequences = logs.nodes.flatMap(({ sequence }) => (sequence === null ? [] : [sequence]));
  if (logs.nodes.length === 0) return 0;
  return sequences.length > 0 ? Math.max(...sequences) : null;
}
