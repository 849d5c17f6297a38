/** `npm run demo`: the server of `npm start` with sample entries of two tenants, and more that keep arriving; with `--still`, none. */
import 'reflect-metadata';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { EXPORT, VIEW } from '../auth/actions.js';
import { type IssuedClaims, issuePersonToken } from '../auth/token.js';
import { refuseProduction } from '../cli/context.js';
import { withOwner } from '../cli/database.js';
import { type Config, readConfig } from '../config/config.js';
import { connectPool } from '../database/session.js';
import { oneLineFault, StartError } from '../errors.js';
import { eraseEntries } from '../log/retention/erase.js';
import { OwnEntries } from '../log/retention/own-entries.js';
import { keepArriving, registerSamples } from '../sample/arrivals.js';
import { clientName, type SampleTenant } from '../sample/entries.js';
import { SAMPLE } from '../sample/identities.js';
import { demoTenants, fillPast, storePast } from '../sample/past.js';
import { storyOf } from '../sample/story.js';
import { createReelServer } from '../server.js';
import { prepareDevelopment } from './prepare.js';

const END_MS = 20_000;
/** Who erased an entry in the sample's story, which is told of no account of this machine. */
const OPERATOR = 'operator@example.com';

/** For pictures, which all show the same entries. */
const isStill = process.argv.includes('--still');

const endRequested = new Promise<null>((end) => {
  process.on('SIGINT', () => end(null)).on('SIGTERM', () => end(null));
});

/** Fills both trails up to now; the first, when new, also gets a story. */
async function prepareTrails(config: Config, tenants: readonly SampleTenant[]): Promise<void> {
  const now = Date.now();
  const database = await connectPool(config.databaseUrl!, 3);
  try {
    for (const [index, tenant] of tenants.entries()) {
      const { added, isNew } = await fillPast(database, tenant, now);
      if (added > 0) process.stderr.write(`tenant ${tenant.id}: ${added} sample entries\n`);
      if (!isNew || index > 0) continue;
      const { entries, erasedId } = storyOf(tenant, now);
      await storePast(database, entries);
      if (config.migrateUrl !== null) await eraseEntry(config, tenant.id, erasedId);
    }
  } finally {
    await database.close();
  }
}

const eraseEntry = (config: Config, tenantId: string, entryId: string) =>
  withOwner(config, (owner) =>
    eraseEntries(owner, {
      tenantId,
      target: { entryId },
      reason: 'the person asked to be forgotten (SUP-2402)',
      ownEntries: new OwnEntries(OPERATOR, 'npm run demo'),
    }),
  );

/** For a person who may view both tenants and export each of their clients. */
function viewerToken(
  jwtSecret: string,
  tenants: readonly SampleTenant[],
  claims: IssuedClaims,
): Promise<string> {
  const grants = tenants.flatMap((tenant) => {
    const of = { tenantId: tenant.id, tenantName: tenant.name };
    return [
      { ...of, action: VIEW, scope: 'ACCOUNT' as const, clientId: null },
      ...tenant.clientIds.flatMap((clientId) =>
        [VIEW, EXPORT].map((action) => {
          const named = { clientId, clientName: clientName(tenant, clientId) };
          return { ...of, ...named, action, scope: 'CLIENT' as const };
        }),
      ),
    ];
  });
  const who = { ...SAMPLE.person, grants, tenants: tenants.map(({ id }) => id) };
  return issuePersonToken(jwtSecret, who, claims);
}

function welcome(url: string, token: string, tenants: readonly SampleTenant[], playground: boolean): string {
  const link = (lang: string, tenant: SampleTenant) =>
    `${url}/?lang=${lang}#token=${token}&tenant=${tenant.id}`;
  const [first, second] = tenants as [SampleTenant, SampleTenant];
  const opened = playground
    ? `\nPlayground, for GraphQL:\n${url}/playground#token=${token}&tenant=${first.id}\n`
    : '';
  return `Reel listens on ${url}

Viewer, in English:
${link('en', first)}

Viewer, in Portuguese, at the other tenant:
${link('pt-BR', second)}
${opened}
${isStill ? '' : 'More entries keep arriving. '}Ctrl-C stops it; started again, it goes on where it was.
`;
}

try {
  const given = readConfig(process.env);
  refuseProduction(given, 'demo');
  const { config, keepRunning, stop } = await prepareDevelopment(given);
  try {
    const [[jwtSecret], [serviceSecret]] = [config.jwtSecrets, config.serviceSecrets];
    if (jwtSecret === undefined || serviceSecret === undefined)
      throw new StartError('REEL_JWKS_URL: expected none, since the demo signs its own links, got one');
    const tenants = demoTenants();
    const prepared = prepareTrails(config, tenants).then(() => createReelServer(config));
    const server = await Promise.race([prepared, endRequested]);
    if (server) {
      keepRunning(server.moveDatabase);
      const secrets = { jwtSecret, serviceSecret, claims: config };
      if (isStill) await registerSamples(server.url, secrets);
      process.stdout.write(
        welcome(server.url, await viewerToken(jwtSecret, tenants, config), tenants, config.playground),
      );
      const spool = join(config.dataDir, 'modules');
      const arrivals = isStill ? null : keepArriving({ url: server.url, spool, secrets }, tenants);
      await endRequested;
      await Promise.race([
        (arrivals?.stop() ?? Promise.resolve()).then(() => server.close()),
        setTimeout(END_MS),
      ]);
    }
  } finally {
    await stop();
  }
  process.exit(0);
} catch (error) {
  process.stderr.write(`reel: ${oneLineFault(error)}\n`);
  process.exit(1);
}
