import { type IssuedClaims, issueModuleToken, issuePersonToken } from '../auth/token.js';
import type { SampleEntry, SampleTenant } from './entries.js';
import { demoEntries } from './past.js';

export interface Arrivals {
  /** Resolves when no request is in flight. */
  stop(): Promise<void>;
}

interface Secrets {
  jwtSecret: string;
  serviceSecret: string;
  claims: IssuedClaims;
}

/** Shortest and longest pause between two entries of a tenant. */
const PAUSE_MS = [400, 3_500] as const;
const DAY_MS = 86_400_000;

const CREATE = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }';

/** Keeps sending entries over HTTP, as modules and browsers would. */
export function keepArriving(url: string, secrets: Secrets, tenants: readonly SampleTenant[]): Arrivals {
  const stopped = new AbortController();
  const all = tenants.map(async (tenant) => {
    while (!stopped.signal.aborted)
      for (const entry of demoEntries(tenant, today(), today() + DAY_MS)) {
        await pause(stopped.signal);
        if (stopped.signal.aborted) return;
        // A server that is busy or shutting down does not end the demo.
        await send(url, secrets, entry).catch(() => {});
      }
  });
  return {
    stop: async () => {
      stopped.abort();
      await Promise.all(all);
    },
  };
}

const today = () => Math.floor(Date.now() / DAY_MS) * DAY_MS;

function pause(stopped: AbortSignal): Promise<void> {
  const [min, max] = PAUSE_MS;
  return new Promise((done) => {
    const timer = setTimeout(done, min + Math.random() ** 2 * (max - min));
    stopped.addEventListener('abort', () => {
      clearTimeout(timer);
      done();
    });
  });
}

async function send(url: string, secrets: Secrets, { author, input }: SampleEntry): Promise<void> {
  const token =
    author.kind === 'person'
      ? await issuePersonToken(
          secrets.jwtSecret,
          {
            id: author.subject,
            email: author.email ?? '',
            ...(author.name === null ? {} : { name: author.name }),
            tenants: [input.tenantId],
            minutes: 1,
          },
          secrets.claims,
        )
      : await issueModuleToken(secrets.serviceSecret, author.module, 1);
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'x-tenant-id': input.tenantId,
      'user-agent': author.agent ?? 'reel-demo',
    },
    body: JSON.stringify({ query: CREATE, variables: { input } }),
  });
  await response.arrayBuffer();
}
