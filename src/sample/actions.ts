import { LogSeverity } from '../log/entry/severity.js';
import { type SeededRandom, weighted } from './seeded-random.js';

/** A kind of action on the platform, and how to make one up. */
export interface SampleAction {
  module: string;
  action: string;
  severity: LogSeverity;
  /** Relative frequency. */
  weight: number;
  /** Done by the system itself: without actor and client. */
  system?: boolean;
  /** A signed-in person's browser may report it. */
  browser?: boolean;
  resourceType?: string;
  data?: (random: SeededRandom) => Record<string, unknown>;
}

const { DEBUG, INFO, WARNING, ERROR, CRITICAL } = LogSeverity;

const PLANS = ['free', 'team', 'business', 'enterprise'];
const ROLES = ['viewer', 'editor', 'manager', 'administrator'];
const money = (random: SeededRandom) => ({
  amount: random.integer(900, 250_000) / 100,
  currency: random.pick(['EUR', 'BRL', 'USD']),
});

/** Two different values of a list, as before and after. */
function change<T>(
  random: SeededRandom,
  field: string,
  values: readonly T[],
  same: Record<string, unknown> = {},
) {
  const before = random.integer(0, values.length - 1);
  const after = (before + random.integer(1, values.length - 1)) % values.length;
  return { before: { ...same, [field]: values[before] }, after: { ...same, [field]: values[after] } };
}

/** The same few errors again and again, as in reality. */
const failure =
  (errors: readonly { error: string; code: string; at: string }[]) => (random: SeededRandom) => ({
    ...random.pickEarly(errors),
    attempt: random.integer(1, 5),
  });

const paymentFailure = failure([
  { error: 'card declined by issuer', code: 'card_declined', at: 'billing/src/charge.ts:118' },
  { error: 'insufficient funds', code: 'insufficient_funds', at: 'billing/src/charge.ts:118' },
  { error: 'gateway timed out after 10000 ms', code: 'gateway_timeout', at: 'billing/src/gateway.ts:64' },
]);
const jobFailure = failure([
  { error: 'connect ECONNREFUSED 10.0.4.17:5432', code: 'ECONNREFUSED', at: 'matrix/src/jobs/run.ts:73' },
  { error: 'deadlock detected', code: '40P01', at: 'matrix/src/jobs/rollup.ts:41' },
  {
    error: "Cannot read properties of undefined (reading 'clientId')",
    code: 'TypeError',
    at: 'aurora/src/render.ts:209',
  },
]);

const person = (random: SeededRandom) => ({
  email: `user${random.integer(100, 999)}@example.com`,
  locale: random.pick(['en', 'pt-BR', 'de', 'fr']),
  mfa: random.chance(0.5),
});

export const SAMPLE_ACTIONS: readonly SampleAction[] = [
  {
    module: 'guardian',
    action: 'users.login',
    severity: INFO,
    weight: 22,
    resourceType: 'session',
    data: (r) => ({ method: r.pick(['password', 'sso', 'passkey']), mfa: r.chance(0.7) }),
  },
  {
    module: 'guardian',
    action: 'users.login_failed',
    severity: WARNING,
    weight: 5,
    resourceType: 'session',
    data: (r) => ({
      reason: r.pickEarly(['wrong password', 'unknown user', 'expired link']),
      attempts: r.integer(1, 6),
    }),
  },
  { module: 'guardian', action: 'users.logout', severity: INFO, weight: 9, resourceType: 'session' },
  {
    module: 'guardian',
    action: 'users.create',
    severity: INFO,
    weight: 3,
    resourceType: 'user',
    data: (r) => ({ after: person(r) }),
  },
  {
    module: 'guardian',
    action: 'users.update',
    severity: INFO,
    weight: 5,
    resourceType: 'user',
    data: (r) => change(r, 'locale', ['en', 'pt-BR', 'de', 'fr'], { mfa: r.chance(0.5) }),
  },
  {
    module: 'guardian',
    action: 'users.delete',
    severity: WARNING,
    weight: 1,
    resourceType: 'user',
    data: (r) => ({ before: person(r) }),
  },
  {
    module: 'guardian',
    action: 'sessions.hijack_suspected',
    severity: CRITICAL,
    weight: 0.15,
    resourceType: 'session',
    data: (r) => ({
      countries: [r.pick(['BR', 'PT', 'DE']), r.pick(['VN', 'CA', 'ZA'])],
      minutesApart: r.integer(2, 25),
    }),
  },
  {
    module: 'mentor',
    action: 'roles.assign',
    severity: INFO,
    weight: 2,
    resourceType: 'role',
    data: (r) => change(r, 'role', ROLES),
  },
  {
    module: 'mentor',
    action: 'grants.revoke',
    severity: WARNING,
    weight: 0.7,
    resourceType: 'grant',
    data: (r) => ({
      before: {
        action: r.pick(['reel.logs.view', 'billing.invoices.issue', 'aurora.documents.delete']),
        scope: r.pick(['ACCOUNT', 'CLIENT']),
      },
    }),
  },
  {
    module: 'aurora',
    action: 'documents.view',
    severity: DEBUG,
    weight: 14,
    browser: true,
    resourceType: 'document',
  },
  {
    module: 'aurora',
    action: 'documents.create',
    severity: INFO,
    weight: 6,
    resourceType: 'document',
    data: (r) => ({
      after: { title: `Report ${r.integer(1, 480)}`, pages: r.integer(1, 60), shared: false },
    }),
  },
  {
    module: 'aurora',
    action: 'documents.update',
    severity: INFO,
    weight: 11,
    resourceType: 'document',
    data: (r) =>
      change(r, 'state', ['draft', 'review', 'approved', 'archived'], {
        pages: r.integer(1, 60),
        tags: ['q3', r.pick(['finance', 'people', 'legal'])],
      }),
  },
  {
    module: 'aurora',
    action: 'documents.share',
    severity: INFO,
    weight: 3,
    browser: true,
    resourceType: 'document',
    data: (r) => ({
      with: `user${r.integer(100, 999)}@example.com`,
      rights: r.pick(['view', 'comment', 'edit']),
    }),
  },
  {
    module: 'aurora',
    action: 'documents.download',
    severity: INFO,
    weight: 4,
    browser: true,
    resourceType: 'document',
    data: (r) => ({ bytes: r.integer(4_000, 9_000_000), format: r.pick(['pdf', 'docx', 'csv']) }),
  },
  {
    module: 'aurora',
    action: 'documents.render',
    severity: ERROR,
    weight: 0.9,
    system: true,
    resourceType: 'document',
    data: jobFailure,
  },
  {
    module: 'billing',
    action: 'invoices.issue',
    severity: INFO,
    weight: 4,
    resourceType: 'invoice',
    data: (r) => ({ after: { number: `2026-${r.integer(1000, 9999)}`, ...money(r) } }),
  },
  {
    module: 'billing',
    action: 'invoices.pay',
    severity: INFO,
    weight: 4,
    resourceType: 'invoice',
    data: money,
  },
  {
    module: 'billing',
    action: 'invoices.delete',
    severity: WARNING,
    weight: 0.3,
    resourceType: 'invoice',
    data: (r) => ({ before: { number: `2026-${r.integer(1000, 9999)}`, ...money(r) } }),
  },
  {
    module: 'billing',
    action: 'payments.charge',
    severity: ERROR,
    weight: 1.4,
    resourceType: 'payment',
    data: (r) => ({ ...money(r), ...paymentFailure(r) }),
  },
  {
    module: 'billing',
    action: 'subscriptions.change',
    severity: INFO,
    weight: 1.5,
    resourceType: 'subscription',
    data: (r) => change(r, 'plan', PLANS, { seats: r.integer(1, 400) }),
  },
  {
    module: 'matrix',
    action: 'jobs.run',
    severity: DEBUG,
    weight: 8,
    system: true,
    resourceType: 'job',
    data: (r) => ({
      job: r.pick(['rollup', 'reindex', 'mail', 'backup']),
      milliseconds: r.integer(8, 40_000),
    }),
  },
  {
    module: 'matrix',
    action: 'jobs.run',
    severity: ERROR,
    weight: 0.8,
    system: true,
    resourceType: 'job',
    data: (r) => ({ job: r.pick(['rollup', 'mail']), ...jobFailure(r) }),
  },
  {
    module: 'matrix',
    action: 'database.unreachable',
    severity: CRITICAL,
    weight: 0.05,
    system: true,
    data: () => ({ host: '10.0.4.17', error: 'connect ECONNREFUSED 10.0.4.17:5432' }),
  },
  {
    module: 'infinity',
    action: 'settings.update',
    severity: INFO,
    weight: 2,
    browser: true,
    resourceType: 'settings',
    data: (r) => change(r, 'theme', ['light', 'dark', 'system'], { density: r.pick(['compact', 'roomy']) }),
  },
];

export const pickAction = weighted(SAMPLE_ACTIONS);
