import { join } from 'node:path';
import type { Author } from '../auth/scope.js';
import { type IssuedClaims, issueModuleToken, issuePersonToken } from '../auth/token.js';
import type { Actions } from '../client/actions.js';
import { createReelClient, type Reel } from '../client/client.js';
import { registrationsOf } from '../client/registrations.js';
import type { LogInput } from '../log/service.js';
import type { SampleTenant } from './entries.js';
import { demoEntries } from './past.js';
import { SAMPLE_MODULES } from './registered.js';

export interface Arrivals {
  /** Resolves when no request is in flight. */
  stop(): Promise<void>;
}

export interface ArrivalsOptions {
  url: string;
  /** Of the modules' spools. */
  spool: string;
  secrets: Secrets;
}

interface Secrets {
  jwtSecret: string;
  serviceSecret: string;
  claims: IssuedClaims;
}

/** Shortest and longest pause between two entries of a tenant. */
const PAUSE_MS = [400, 3_500] as const;
const DAY_MS = 86_400_000;

const REGISTER =
  'mutation ($actions: [RegisterActionInput!]!) { registerActions(actions: $actions) { action } }';
const CREATE = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }';

/** What the sample's actions mean, as each module says when it is deployed. Failures are left out. */
export async function registerSamples(url: string, secrets: Secrets): Promise<void> {
  await Promise.all(SAMPLE_MODULES.map((actions) => register(url, secrets, actions).catch(() => {})));
}

/** Keeps sending entries, as modules and browsers would. */
export function keepArriving(
  { url, spool, secrets }: ArrivalsOptions,
  tenants: readonly SampleTenant[],
): Arrivals {
  const stopped = new AbortController();
  const modules = new Map<string, Reel>();
  const moduleOf = (module: string): Reel => {
    const known = modules.get(module);
    if (known) return known;
    const token = () => issueModuleToken(secrets.serviceSecret, module, 1);
    const actions = SAMPLE_MODULES.find((each) => each.module === module);
    const options = { url, token, module, spool: join(spool, module), warn: () => {} };
    const reel: Reel = createReelClient({ ...options, ...(actions && { actions }) });
    modules.set(module, reel);
    return reel;
  };
  const registering = registerSamples(url, secrets);
  const all = tenants.map(async (tenant) => {
    await registering;
    while (!stopped.signal.aborted)
      for (const { author, input } of demoEntries(tenant, today(), today() + DAY_MS)) {
        await pause(stopped.signal);
        if (stopped.signal.aborted) return;
        if (author.kind === 'module') record(moduleOf(author.module), input);
        // A server that is busy or shutting down does not end the demo.
        else await report(url, secrets, author, input).catch(() => {});
      }
  });
  return {
    stop: async () => {
      stopped.abort();
      await Promise.all(all);
      for (const reel of modules.values()) await reel.close();
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

function record(reel: Reel, { action, severity, data, ...input }: LogInput): void {
  const { tenantId, clientId, requestId, ipAddress, userAgent } = input;
  reel.log(action, {
    severity,
    tenantId,
    clientId,
    requestId,
    ipAddress,
    userAgent,
    actor: {
      id: input.actorId,
      email: input.actorEmail,
      name: input.actorName,
      onBehalfOf: { id: input.onBehalfOfId },
    },
    resource: { type: input.resourceType, id: input.resourceId },
    data: data ?? undefined,
  });
}

async function report(
  url: string,
  secrets: Secrets,
  person: Extract<Author, { kind: 'person' }>,
  input: LogInput,
): Promise<void> {
  const claims = {
    id: person.subject,
    email: person.email ?? '',
    ...(person.name === null ? {} : { name: person.name }),
    tenants: [input.tenantId],
    minutes: 1,
  };
  const token = await issuePersonToken(secrets.jwtSecret, claims, secrets.claims);
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'x-tenant-id': input.tenantId,
      'user-agent': person.agent ?? 'reel-demo',
    },
    body: JSON.stringify({ query: CREATE, variables: { input } }),
  });
  await response.arrayBuffer();
}

async function register(url: string, secrets: Secrets, actions: Actions): Promise<void> {
  const variables = {
    actions: registrationsOf(actions).map(({ module: _, resource, redaction, ...rest }) => ({
      ...rest,
      resourceType: resource,
      redact: redaction.map(({ path, how }) => ({ path, how: how.toUpperCase() })),
    })),
  };
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await issueModuleToken(secrets.serviceSecret, actions.module, 1)}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ query: REGISTER, variables }),
  });
  await response.arrayBuffer();
}
