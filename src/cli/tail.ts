import type { Command } from 'commander';
import { createClient } from 'graphql-sse';
import { StartError } from '../errors.js';
import type { CommandContext } from './context.js';
import { filterOf, filterOptions } from './filter-options.js';
import { integerOption, uuidOption } from './options.js';
import { askGraphql, headersOf, type Remote, type RemoteOptions, remoteOf, urlOn } from './remote.js';

interface TailOptions extends RemoteOptions {
  after?: number;
  timeZone?: string;
}

interface Followed {
  sequence: number;
}

const FOLLOW = `subscription ($filter: LogFilter, $after: Count, $timeZone: String! = "UTC") {
  logAdded(filter: $filter, after: $after, timeZone: $timeZone) {
    id module action severity origin actorId actorType actorEmail actorName onBehalfOfId onBehalfOfName tenantId clientId
    resourceType resourceId resourceName outcome data ipAddress userAgent requestId repaired occurredAt createdAt sequence
  }
}`;
const NEWEST = '{ logs(first: 100) { nodes { sequence } } }';

/** Delay before reconnecting, at first and at most. */
const RETRY_MS = { first: 250, max: 10_000 };

export function tailCommand(program: Command, context: CommandContext): void {
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
    context.config();
    const remote = remoteOf(options, context);
    const tail = {
      filter: filterOf({ ...options }),
      after: options.after ?? (await lastSequence(remote)),
      timeZone: options.timeZone,
    };
    process.once('SIGINT', () => {
      context.note(`resume with --after ${tail.after ?? 0}`);
      process.exit(0);
    });
    for (let delay = RETRY_MS.first; ; delay = Math.min(2 * delay, RETRY_MS.max)) {
      const before = tail.after;
      await follow(remote, tail, context);
      if (tail.after !== before) delay = RETRY_MS.first;
      context.note(`connection lost; resuming after sequence ${tail.after ?? 0}`);
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  });
}

/** Prints entries as they arrive and remembers the last sequence; resolves when the connection breaks. Errors: StartError if the server refuses. */
async function follow(
  remote: Remote,
  tail: { filter: object; after: number | null; timeZone: string | undefined },
  context: CommandContext,
): Promise<void> {
  const client = createClient({
    url: urlOn(remote, '/graphql'),
    headers: headersOf(remote),
    retryAttempts: 0,
  });
  try {
    for await (const { data, errors } of client.iterate<{ logAdded: Followed }>({
      query: FOLLOW,
      variables: tail,
    })) {
      const [refusal] = errors ?? [];
      if (refusal) {
        const code = String(refusal.extensions?.code ?? '');
        if (code !== 'UNAVAILABLE' && code !== 'OVERLOADED')
          throw new StartError(`${code}: ${refusal.message}`);
        return;
      }
      const entry = data!.logAdded;
      context.print({}, entry, JSON.stringify(entry));
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

/** The trail's last sequence now, so that a connection that breaks before the first entry leaves no gap; null if unknown. */
async function lastSequence(remote: Remote): Promise<number | null> {
  const { logs } = await askGraphql<{ logs: { nodes: { sequence: number | null }[] } }>(remote, NEWEST, {});
  const sequences = logs.nodes.flatMap(({ sequence }) => (sequence === null ? [] : [sequence]));
  if (logs.nodes.length === 0) return 0;
  return sequences.length > 0 ? Math.max(...sequences) : null;
}
