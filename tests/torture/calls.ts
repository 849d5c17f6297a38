/** One HTTP call, and what its outcome means for who made it. */

/** Nothing is known of what came of it; it may be made again under the same key. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain';
}

/** An answer that nothing here gives a reason for. */
export class Unexpected extends Error {
  override readonly name = 'Unexpected';
}

/** Longer than a recovery of server or database takes, shorter than a round. */
const CALL_MS = 10_000;
const FOR_NOW = new Set(['UNAVAILABLE', 'OVERLOADED', 'TOO_MANY_REQUESTS']);

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: read by name.
  body: any;
}

/** Errors: TryAgain where no answer came, or a 429 or 503. */
export async function call(
  url: string,
  token: string,
  init: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer> } = {},
): Promise<Answer> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, {
      ...init,
      headers: {
        authorization: `Bearer ${token}`,
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...init.headers,
      },
      signal: AbortSignal.timeout(CALL_MS),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    throw new TryAgain(String(error));
  }
  if (status === 503 || status === 429) throw new TryAgain(`${status} ${text}`);
  try {
    return { status, body: text === '' ? null : JSON.parse(text) };
  } catch {
    throw new Unexpected(`${status} ${text.slice(0, 300)}`);
  }
}

/** Data of a GraphQL operation. Errors: TryAgain, Unexpected. */
export async function graphql(
  url: string,
  token: string,
  query: string,
  variables: object = {},
): Promise<Answer['body']> {
  const { status, body } = await call(`${url}/graphql`, token, {
    method: 'POST',
    body: JSON.stringify({ query, variables }),
  });
  const codes = ((body?.errors ?? []) as { extensions?: { code?: string } }[]).map(
    ({ extensions }) => extensions?.code ?? '',
  );
  if (codes.length > 0 && codes.every((code) => FOR_NOW.has(code))) throw new TryAgain(codes.join());
  if (codes.length > 0 || status !== 200)
    throw new Unexpected(`${status} ${JSON.stringify(body).slice(0, 500)}`);
  return body.data;
}

/** Whether a refusal within an answer holds for now only. */
export const isForNow = (code: string | number | null | undefined): boolean =>
  code === 503 || code === 429 || FOR_NOW.has(String(code));
