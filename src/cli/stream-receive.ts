import { createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { StartError } from '../errors.js';
import type { CommandContext } from './context.js';

export interface ReceiveOptions {
  port: number;
  host: string;
  /** `whsec_…`, or `whpk_…` for signatures v1a. */
  secret: string;
  output: string;
}

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const TOLERANCE_SECONDS = 300;
/** Ids of batches that are remembered, so that one that comes again is not kept twice. */
const REMEMBERED = 10_000;
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

type Headers = Record<string, string>;
/** Errors: any where the signature does not hold. */
type Verify = (body: string, headers: Headers) => void;

/** Serves until it is interrupted. Each batch is on disk before it is acknowledged. */
export async function receive(
  { port, host, secret, output }: ReceiveOptions,
  context: CommandContext,
): Promise<void> {
  const check = verifierOf(secret);
  await using file = await open(output, 'a');
  const seen = new Set<string>();
  let last: number | null = null;
  let writing: Promise<void> = Promise.resolve();
  const keep = async (id: string, body: string) => {
    if (seen.has(id)) return;
    const {
      previous,
      first,
      last: end,
      entries = [],
      test,
    } = JSON.parse(body) as {
      previous: number;
      first: number;
      last: number;
      entries?: unknown[];
      test?: boolean;
    };
    if (test) return context.note('a test came');
    await file.appendFile(`${body}\n`);
    await file.datasync();
    seen.add(id);
    if (seen.size > REMEMBERED) seen.delete(seen.values().next().value!);
    if (last !== null && previous > last) context.note(`sequences ${last + 1} to ${previous} have not come`);
    last = Math.max(last ?? 0, end);
    context.note(`${first} to ${end}: ${entries.length} entries`);
  };
  const answer = async (request: IncomingMessage): Promise<number> => {
    if (request.method !== 'POST') return 405;
    const body = await bodyOf(request);
    if (body === null) return 413;
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    try {
      check(body, headers);
    } catch {
      context.note('a request came whose signature does not hold');
      return 401;
    }
    // One after the other, in the order in which they came.
    const written = writing.catch(() => {}).then(() => keep(headers['webhook-id']!, body));
    writing = written;
    await written;
    return 204;
  };
  const server = createServer((request, response) => {
    // Whoever hangs up is not told anything.
    response.on('error', () => {});
    answer(request).then(
      (status) => {
        response.statusCode = status;
        response.end();
      },
      (error: Error) => {
        context.note(`a batch could not be kept: ${error.message}`);
        response.statusCode = 500;
        response.end();
      },
    );
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  context.note(`receiving at http://${host}:${typeof address === 'object' ? address?.port : port}/`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  server.close();
  server.closeAllConnections();
  await writing.catch(() => {});
}

function verifierOf(secret: string): Verify {
  if (secret.startsWith('whsec_')) {
    const webhook = new Webhook(secret);
    return (body, headers) => void webhook.verify(body, headers, { jsonParse: false });
  }
  const raw = Buffer.from(secret.replace(/^whpk_/, ''), 'base64');
  if (!secret.startsWith('whpk_') || raw.length !== 32)
    throw new StartError('--secret-file: expected whsec_… or whpk_… in the file');
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
  return (body, headers) => {
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures = '' } = headers;
    if (!(Math.abs(Date.now() / 1_000 - Number(at)) <= TOLERANCE_SECONDS)) throw new Error('too old');
    const signed = Buffer.from(`${id}.${at}.${body}`);
    const holds = signatures
      .split(' ')
      .some(
        (each) => each.startsWith('v1a,') && verify(null, signed, key, Buffer.from(each.slice(4), 'base64')),
      );
    if (!holds) throw new Error('no signature holds');
  };
}

/** Null where it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
