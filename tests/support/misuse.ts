import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { expect } from 'vitest';
import { grant, moduleToken, person, startReel, type TestReel } from './reel.js';

export const TENANT = randomUUID();
export const CLIENT = randomUUID();
export const REST = '/api/v1/reel';
/** Far more than any response to invalid input needs: input is not echoed. */
export const MAX_RESPONSE_LENGTH = 64 * 1024;

export let reel: TestReel;
export let module: string;
export let ana: string;
export async function startMisuseServer(): Promise<void> {
  // Reel's own entries about reads would be counted, too.
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  module = await moduleToken();
  ana = await person({
    grants: [grant(TENANT, 'reel.logs.view:ACCOUNT'), grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`)],
  });
}

export interface RawResponse {
  status: number;
  text: string;
}

export async function send(
  path: string,
  init: RequestInit,
  token: string | null = module,
): Promise<RawResponse> {
  const headers = {
    'content-type': 'application/json',
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(init.headers as Record<string, string> | undefined),
  };
  const response = await fetch(reel.url + path, { method: 'POST', redirect: 'manual', ...init, headers });
  return { status: response.status, text: await response.text() };
}

/** Sends raw bytes; resolves with what is received until the connection ends. */
export function sendRaw(bytes: string | Buffer, milliseconds = 3_000): Promise<string> {
  const { hostname, port } = new URL(reel.url);
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.setTimeout(milliseconds, () => socket.destroy());
    socket.on('error', () => {}).on('close', () => resolve(text));
  });
}

/** Expects a deliberate, short response that neither echoes the input nor reveals internals. */
export function expectHandled({ status, text }: RawResponse, input: unknown = ''): void {
  expect({ status, text: text.slice(0, 500), input }).toSatisfy(
    (response: RawResponse) => response.status >= 200 && response.status < 500,
  );
  expect(text).not.toMatch(
    /INTERNAL_SERVER_ERROR|Internal server error|node_modules|\bat \w+ \(|SELECT|insert into/,
  );
  if (status === 201 || (status === 200 && !text.includes('"errors"'))) return;
  expect(text.length).toBeLessThan(MAX_RESPONSE_LENGTH);
  const received = textsIn(readJson(text), isSuggestion);
  for (const excerpt of textsIn(input).flatMap(excerpts))
    for (const each of received) expect(each).not.toContain(excerpt);
}

export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The one text that may hold the input: a query line mended is the whole line, of at most 2,000 characters. */
const isSuggestion = (key: string) => key === 'suggestion';

/** Every text and every key in a value, but for those that are `left` out. */
function textsIn(value: unknown, left: (key: string) => boolean = () => false): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => (left(key) ? [] : [key, ...textsIn(each, left)]));
}

/** Excerpts of 201 characters of the input, which no response may contain. */
function excerpts(input: string): string[] {
  const found: string[] = [];
  for (let at = 0; at + 201 <= input.length && found.length < 50; at += 97)
    found.push(input.slice(at, at + 201));
  return found;
}

export const stored = async () =>
  Number((await reel.own.query('select count(*) as n from reel_log_entries'))[0]?.n ?? 0);

/** Every entry has its leaf, in the inbox or in the sequence, and every leaf its entry. */
export async function expectWhole(expected: number): Promise<void> {
  const [row] = await reel.own.query(`
    select (select count(*) from reel_log_entries)::int as entries,
      (select count(*) from reel_log_entries e join
        (select tenant_id, entry_id from reel_log_inbox union all select tenant_id, entry_id from reel_log_sequence) p
        on p.tenant_id = e.tenant_id and p.entry_id = e.id)::int as leaves,
      (select count(*) from reel_log_keys k where not exists
        (select from reel_log_entries e where e.tenant_id = k.tenant_id and e.id = k.entry_id))::int as orphans`);
  expect(row).toEqual({ entries: expected, leaves: expected, orphans: 0 });
}
