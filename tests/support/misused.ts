import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { expect } from 'vitest';
import { grant, moduleToken, person, startReel, type TestReel } from './reel.js';

export const TENANT = randomUUID();
export const CLIENT = randomUUID();
export const REST = '/api/v1/reel';
/** Far above what any answer to faulty input needs: what comes is not sent back. */
export const LONGEST_ANSWER = 64 * 1024;

export let reel: TestReel;
export let module: string;
export let ana: string;
export async function startMisused(): Promise<void> {
  // What Reel writes about readers would be counted with the rest.
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  module = await moduleToken();
  ana = await person({
    grants: [grant(TENANT, 'reel.logs.view:ACCOUNT'), grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`)],
  });
}

export interface Sent {
  status: number;
  text: string;
}

export async function send(path: string, init: RequestInit, token: string | null = module): Promise<Sent> {
  const headers = {
    'content-type': 'application/json',
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(init.headers as Record<string, string> | undefined),
  };
  const answer = await fetch(reel.url + path, { method: 'POST', redirect: 'manual', ...init, headers });
  return { status: answer.status, text: await answer.text() };
}

/** Bytes as they go over the wire, and what comes back before the connection ends. */
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

/** Deliberately answered, in few words, without repeating what came or showing anything of the inside. */
export function expectAnswered({ status, text }: Sent, came: unknown = ''): void {
  expect({ status, text: text.slice(0, 500), came }).toSatisfy(
    (answer: Sent) => answer.status >= 200 && answer.status < 500,
  );
  expect(text).not.toMatch(
    /INTERNAL_SERVER_ERROR|Internal server error|node_modules|\bat \w+ \(|SELECT|insert into/,
  );
  if (status === 201 || (status === 200 && !text.includes('"errors"'))) return;
  expect(text.length).toBeLessThan(LONGEST_ANSWER);
  const said = textsIn(readJson(text));
  for (const stretch of textsIn(came).flatMap(stretches))
    for (const each of said) expect(each).not.toContain(stretch);
}

export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Every text and every key in a value. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => [key, ...textsIn(each)]);
}

/** Pieces of 201 characters out of what came, which may stand in no answer. */
function stretches(came: string): string[] {
  const found: string[] = [];
  for (let at = 0; at + 201 <= came.length && found.length < 50; at += 97)
    found.push(came.slice(at, at + 201));
  return found;
}

export const stored = async () =>
  Number((await reel.own.query('select count(*) as n from reel_log_entries'))[0]?.n ?? 0);

/** Every entry has its leaf, in the inbox or in the order, and every leaf its entry. */
export async function expectWhole(expected: number): Promise<void> {
  const [row] = await reel.own.query(`
    select (select count(*) from reel_log_entries)::int as entries,
      (select count(*) from reel_log_entries e join
        (select tenant_id, entry_id from reel_log_inbox union all select tenant_id, entry_id from reel_log_sequence) p
        on p.tenant_id = e.tenant_id and p.entry_id = e.id)::int as placed,
      (select count(*) from reel_log_keys k where not exists
        (select from reel_log_entries e where e.tenant_id = k.tenant_id and e.id = k.entry_id))::int as orphans`);
  expect(row).toEqual({ entries: expected, placed: expected, orphans: 0 });
}
