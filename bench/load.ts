import { Agent, request } from 'node:http';
import autocannon from 'autocannon';

/** One HTTP call, the same each time. */
export interface Call {
  url: string;
  method?: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: string;
}

const agent = new Agent({ keepAlive: true });

/** Sends the call and reads its response to the end; anything but 2xx is an error. */
export function send({ url, method = 'GET', headers, body }: Call): Promise<string> {
  return new Promise((done, fail) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request(url, { agent, method, headers: { ...headers, ...length } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        if (response.statusCode! >= 300 || text.includes('"errors":['))
          fail(new Error(`expected 2xx from ${url}, got ${response.statusCode} ${text.slice(0, 300)}`));
        else done(text);
      });
      response.on('error', fail);
    });
    sent.on('error', fail);
    sent.end(body);
  });
}

export const graphql = (
  url: string,
  headers: Record<string, string>,
  query: string,
  variables: object = {},
): Call => ({
  url: `${url}/graphql`,
  method: 'POST',
  headers,
  body: JSON.stringify({ query, variables }),
});

/** Median time in milliseconds of work that one caller repeats. */
export async function latency(work: () => Promise<unknown>, seconds: number): Promise<number> {
  const times: number[] = [];
  for (const end = performance.now() + seconds * 1000; performance.now() < end || times.length < 3; ) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return median(times);
}

/** How often per second so many callers complete the work, each sequentially. */
export async function throughput(
  work: () => Promise<unknown>,
  callers: number,
  seconds: number,
): Promise<number> {
  let count = 0;
  const start = performance.now();
  const end = start + seconds * 1000;
  const caller = async () => {
    while (performance.now() < end) {
      await work();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return count / ((performance.now() - start) / 1000);
}

/** The same over HTTP, by the client that uses the least CPU. */
export async function httpThroughput(call: Call, callers: number, seconds: number): Promise<number> {
  const result = await autocannon({ ...call, connections: callers, duration: seconds });
  if (result.non2xx + result.errors > 0)
    throw new Error(`expected 2xx from ${call.url}, got ${result.non2xx} others and ${result.errors} errors`);
  return result['2xx'] / result.duration;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Runs the contestants in turns, round by round, and returns the median of each. */
export async function rounds<K extends string>(
  contestants: Record<K, () => Promise<number>>,
  count = 5,
): Promise<Record<K, number>> {
  const names = Object.keys(contestants) as K[];
  const figures = new Map<K, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < count; round += 1)
    for (const name of names) figures.get(name)!.push(await contestants[name]());
  return Object.fromEntries(names.map((name) => [name, median(figures.get(name)!)])) as Record<K, number>;
}
