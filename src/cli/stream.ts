import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { type Command, InvalidArgumentError } from 'commander';
import { StartError } from '../errors.js';
import type { CommandContext } from './context.js';
import { exit1, Problem } from './context.js';
import { integerOption, required, textOption, uuidOption } from './options.js';
import { askGraphql, type Remote, type RemoteOptions, remoteOf } from './remote.js';

interface Shown {
  id: string;
  name: string;
  kind: string;
  format: string;
  query: string;
  clientId: string | null;
  settings: Record<string, unknown>;
  hasSecret: boolean;
  state: string;
  position: number;
  lagEntries: number;
  lagSeconds: number;
  lastDeliveredAt: string | null;
  lastError: string | null;
  parkedCount: number;
  createdAt: string;
}

const FIELDS = `id name kind format query clientId settings hasSecret state position lagEntries lagSeconds lastDeliveredAt lastError
  parkedCount createdAt`;

interface StreamOptions extends RemoteOptions {
  json?: boolean;
}

interface AddOptions extends StreamOptions {
  kind?: string;
  name?: string;
  format: string;
  query: string;
  after?: number;
  set?: Record<string, unknown>;
  secretFile?: string;
}

const KINDS = ['webhook', 'splunk', 'datadog', 'elastic', 'otlp', 'syslog', 's3'];
const FORMATS = ['reel', 'ocsf', 'ecs', 'cef'];
const MAX_SEQUENCE = Number.MAX_SAFE_INTEGER;

const word = (known: readonly string[]) => (text: string) => {
  if (!known.includes(text)) throw new InvalidArgumentError(`Expected ${known.join(', ')}.`);
  return text.toUpperCase();
};

/** `NAME=VALUE`; a value that is JSON is taken as that, anything else as text. */
function settingOption(text: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const [, name = '', value = ''] = /^(\w+)=(.*)$/s.exec(text) ?? [];
  if (name === '') throw new InvalidArgumentError('Expected NAME=VALUE.');
  return { ...before, [name]: settingValue(value) };
}

function settingValue(value: string): unknown {
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'string' ? value : parsed;
  } catch {
    return value;
  }
}

const ID = "the stream's id, as stream add prints it";

export function streamCommand(program: Command, context: CommandContext): void {
  const stream = program
    .command('stream')
    .description('manage the streams of a tenant on a server: what of its trail goes to other systems');

  const remote = (name: string, description: string): Command =>
    stream
      .command(name)
      .description(description)
      .option('--url <url>', 'URL of the server (default: REEL_URL)')
      .option('--token <token>', 'token of a person who may manage streams (default: REEL_TOKEN)')
      .option('--tenant <id>', 'tenant; required for a person who belongs to several', uuidOption)
      .option('--json', 'print the result as JSON');
  const ofStream = (name: string, description: string): Command =>
    remote(name, description).argument('<id>', ID, uuidOption);
  const at = (options: RemoteOptions): Remote => {
    context.config();
    // --client filters a stream, and is no header here.
    const { url, token, tenant } = options;
    return remoteOf({ ...(url && { url }), ...(token && { token }), ...(tenant && { tenant }) }, context);
  };
  const show = (options: StreamOptions, shown: Shown) => context.print(options, shown, linesOf(shown));
  const mutate = async (options: StreamOptions, mutation: string, variables: Record<string, unknown>) => {
    const data = await askGraphql<Record<string, Shown>>(at(options), mutation, variables);
    show(options, Object.values(data)[0]!);
  };

  remote('add', 'begin a stream; prints its id')
    .option('--kind <kind>', `${KINDS.join(', ')} (required)`, word(KINDS))
    .option('--name <text>', 'what people call it (required)', textOption(100))
    .option('--format <format>', FORMATS.join(', '), word(FORMATS), 'REEL')
    .option('--query <line>', 'only entries that match this query line', '')
    .option('--client <id>', 'only entries of this client', uuidOption)
    .option(
      '--after <sequence>',
      'begin after this sequence number; 0 is the beginning (default: from now on)',
      integerOption(0, MAX_SEQUENCE),
    )
    .option('--set <name=value>', 'a setting of the kind; again for each', settingOption)
    .option('--secret-file <path>', 'file with the secret that signs or opens the receiver; - is stdin')
    .action(async (options: AddOptions) => {
      const { kind, name, format, query, client, after, set = {}, secretFile } = options;
      const input = {
        kind: required(kind, '--kind <kind>'),
        name: required(name, '--name <text>'),
        format,
        query,
        clientId: client,
        after,
        settings: set,
        ...(secretFile === undefined ? {} : { secret: await readSecret(secretFile) }),
      };
      const { createStream: made } = await askGraphql<{ createStream: Shown }>(
        at(options),
        `mutation ($input: CreateStreamInput!) { createStream(input: $input) { ${FIELDS} } }`,
        { input },
      );
      context.print(options, made, made.id);
      if (typeof made.settings.publicKey === 'string') context.note(`public key ${made.settings.publicKey}`);
    });

  remote('list', 'list the streams, oldest first').action(async (options: StreamOptions) => {
    const { streams } = await askGraphql<{ streams: Shown[] }>(at(options), `{ streams { ${FIELDS} } }`, {});
    context.print(options, streams, streams.map(lineOf).join('\n'));
  });

  ofStream('show', 'show a stream').action(async (id: string, options: StreamOptions) => {
    const { stream: shown } = await askGraphql<{ stream: Shown | null }>(
      at(options),
      `query ($id: UUID!) { stream(id: $id) { ${FIELDS} } }`,
      { id },
    );
    if (!shown) throw new StartError(`expected the id of a stream, got ${id}, which does not exist`);
    show(options, shown);
  });

  ofStream('test', 'send one marked entry, and print what came back')
    .addHelpText('after', exit1('the receiver did not take it'))
    .action(async (id: string, options: StreamOptions) => {
      const { testStream: tested } = await askGraphql<{
        testStream: { delivered: boolean; answer: string | null };
      }>(at(options), 'mutation ($id: UUID!) { testStream(id: $id) { delivered answer } }', { id });
      context.print(options, tested, tested.answer ?? '');
      if (!tested.delivered) throw new Problem('the receiver did not take the entry');
    });

  for (const [name, description] of [
    ['pause', 'deliver nothing until it is resumed'],
    ['resume', 'go on where it was; one that is failing or disabled is tried now'],
  ] as const)
    ofStream(name, description).action((id: string, options: StreamOptions) =>
      mutate(options, `mutation ($id: UUID!) { ${name}Stream(id: $id) { ${FIELDS} } }`, { id }),
    );

  ofStream('replay', 'deliver again, from a sequence or a time on')
    .option('--after <sequence>', 'from the entry after this sequence number', integerOption(0, MAX_SEQUENCE))
    .option('--since <time>', 'from what was sealed since this time, RFC 3339')
    .action((id: string, options: StreamOptions & { after?: number; since?: string }) => {
      const { after, since } = options;
      if ((after === undefined) === (since === undefined))
        throw new StartError('expected either --after SEQUENCE or --since TIME');
      return mutate(
        options,
        `mutation ($id: UUID!, $after: Count, $since: DateTime) { replayStream(id: $id, after: $after, since: $since) { ${FIELDS} } }`,
        { id, after, since },
      );
    });

  ofStream('parked', 'list the entries that the receiver refused for good')
    .option('--first <n>', 'at most so many', integerOption(1, 1_000), 50)
    .option('--retry', 'send all of them again')
    .action(async (id: string, options: StreamOptions & { first: number; retry?: boolean }) => {
      if (options.retry)
        return mutate(options, `mutation ($id: UUID!) { retryParked(id: $id) { ${FIELDS} } }`, { id });
      const { parkedEntries } = await askGraphql<{
        parkedEntries: { sequence: number; entryId: string; reason: string; parkedAt: string }[];
      }>(
        at(options),
        'query ($id: UUID!, $first: Int!) { parkedEntries(id: $id, first: $first) { sequence entryId reason parkedAt } }',
        { id, first: options.first },
      );
      const lines = parkedEntries.map(
        ({ sequence, entryId, reason, parkedAt }) => `${sequence}  ${entryId}  ${parkedAt}  ${reason}`,
      );
      return context.print(options, parkedEntries, lines.join('\n'));
    });

  ofStream('attempts', 'list the last 20 batches that were sent, newest first').action(
    async (id: string, options: StreamOptions) => {
      const { stream: found } = await askGraphql<{
        stream: {
          attempts: { at: string; first: number; last: number; delivered: boolean; answer: string | null }[];
        } | null;
      }>(
        at(options),
        'query ($id: UUID!) { stream(id: $id) { attempts { at first last delivered answer } } }',
        { id },
      );
      if (!found) throw new StartError(`expected the id of a stream, got ${id}, which does not exist`);
      const lines = found.attempts.map(
        ({ at, first, last, delivered, answer }) =>
          `${at}  ${first} to ${last}  ${delivered ? 'delivered' : 'refused'}  ${answer ?? ''}`,
      );
      context.print(options, found.attempts, lines.join('\n'));
    },
  );

  ofStream('remove', 'end a stream for good; what was delivered stays there').action(
    async (id: string, options: StreamOptions) => {
      await askGraphql(at(options), 'mutation ($id: UUID!) { removeStream(id: $id) }', { id });
      context.print(options, { removed: id }, `removed ${id}`);
    },
  );

  stream
    .command('receive')
    .description(
      'receive what a webhook stream delivers, verify its signature, and append each batch to a file',
    )
    .option('--port <n>', 'TCP port to listen on (required)', integerOption(0, 65_535))
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option(
      '--secret-file <path>',
      'file with the secret (whsec_…) or the public key (whpk_…); - is stdin (required)',
    )
    .option('--output <file>', 'file to append batches to, one a line (required)')
    .action(async (options: { port?: number; host: string; secretFile?: string; output?: string }) => {
      const { receive } = await import('./stream-receive.js');
      await receive(
        {
          port: required(options.port, '--port <n>'),
          host: options.host,
          secret: await readSecret(required(options.secretFile, '--secret-file <path>')),
          output: required(options.output, '--output <file>'),
        },
        context,
      );
    });
}

/** One line, as stores of secrets write them. Errors: StartError. */
async function readSecret(path: string): Promise<string> {
  try {
    const text = path === '-' ? await readAll(process.stdin) : await readFile(path, 'utf8');
    return text.trim();
  } catch (error) {
    throw new StartError(
      `--secret-file: expected a readable file, got ${(error as NodeJS.ErrnoException).code} for ${path}`,
    );
  }
}

const lineOf = ({ id, name, kind, state, position, lagEntries, lastError }: Shown): string =>
  [id, kind.toLowerCase(), state.toLowerCase(), `at ${position}`, `${lagEntries} behind`, name, lastError]
    .filter((part) => part !== null)
    .join('  ');

const linesOf = (shown: Shown): string =>
  Object.entries(shown)
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join('\n');
