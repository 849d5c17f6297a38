import fc from 'fast-check';
import type { Scope } from '../../src/auth/scope.js';
import type { Database } from '../../src/database/database.js';
import { checkInput } from '../../src/log/entry/check-entry.js';
import { type LogEntry } from '../../src/log/entry/log-entry.entity.js';
import { OUTCOMES } from '../../src/log/entry/outcome.js';
import { LogSeverity, SEVERITIES } from '../../src/log/entry/severity.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';
import { prepareEntry } from '../../src/log/write/prepare.js';
import { storeEntries } from '../../src/log/write/store.js';
import { Sealer } from '../../src/seal/sealer.js';
import { Sequencer } from '../../src/seal/sequencer.js';
import { SIGNER } from './trail.js';

const uuid = (last: number) => `00000000-0000-4000-8000-${String(last).padStart(12, '0')}`;
export const CLIENTS = [uuid(1), uuid(2), uuid(3)];
export const ACTORS = [uuid(11), uuid(12)];
export const MODULES = ['guardian', 'identity', 'Zebra', 'ação'];
const ACTIONS = ['users.create', 'users.login', 'usersx', 'roles.delete'];
export const ZONES = [
  'UTC',
  'Asia/Kolkata',
  'america/new_york',
  'Australia/Lord_Howe',
  'Europe/Berlin',
  'Pacific/Apia',
  '+05:45',
  '+05:37',
  '-0330',
];

/** Instants around which times are drawn: clock changes, ends of days, weeks, months and years. */
const MOMENTS = [
  '2026-03-08T07:00:00Z', // New York forward
  '2026-03-29T01:00:00Z', // Berlin forward
  '2026-04-04T15:00:00Z', // Lord Howe back, by half an hour
  '2026-10-03T15:30:00Z', // Lord Howe forward
  '2026-10-25T01:00:00Z', // Berlin back
  '2026-11-01T06:00:00Z', // New York back
  '2026-10-31T18:30:00Z', // midnight in Kolkata
  '2026-11-23T00:00:00Z',
  '2026-11-24T18:15:00Z', // midnight by +05:45
  '2026-11-24T18:23:00Z', // midnight by +05:37
].map((text) => Date.parse(text) * 1000);
/** The current time of the tests. */
export const NOW = new Date('2026-11-24T20:10:00.000Z');

const micros = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...MOMENTS),
      fc.integer({ min: -200, max: 200 }),
      fc.constantFrom(-1, 0, 1, 7_777_777),
    )
    .map(([moment, quarters, off]) => moment + quarters * 900_000_000 + off),
  fc
    .tuple(fc.constantFrom(...MOMENTS), fc.integer({ min: -7_200_000_000, max: 7_200_000_000 }))
    .map(([at, off]) => at + off),
);
export const instants = micros.map(textOf);

function textOf(at: number): string {
  const text = new Date(Math.floor(at / 1000)).toISOString();
  return `${text.slice(0, -1)}${String(at - Math.floor(at / 1000) * 1000).padStart(3, '0')}Z`;
}

export type Known = Pick<
  LogEntry,
  | 'id'
  | 'module'
  | 'action'
  | 'severity'
  | 'actorId'
  | 'actorEmail'
  | 'actorName'
  | 'clientId'
  | 'resourceType'
  | 'outcome'
  | 'createdAt'
>;

const entries = fc.record({
  at: micros,
  module: fc.constantFrom(...MODULES),
  action: fc.constantFrom(...ACTIONS),
  severity: fc.constantFrom(...SEVERITIES),
  actorId: fc.option(fc.constantFrom(...ACTORS)),
  actorEmail: fc.option(fc.constantFrom('ana@example.com', 'Ana@Example.com', 'bo@example.com')),
  actorName: fc.option(fc.constantFrom('Ana Souza', 'ana souza', 'Nora Field')),
  clientId: fc.option(fc.constantFrom(...CLIENTS)),
  outcome: fc.option(fc.constantFrom(...OUTCOMES)),
  resourceType: fc.option(fc.constantFrom('user', 'role')),
});

/** A tenant's entries at random times, the first part sequenced, the rest in the inbox; all times differ. */
export async function plant(
  database: Database,
  tenantId: string,
  count: number,
  sequenced: number,
  seed: number,
): Promise<Known[]> {
  const drawn = fc.sample(entries, { numRuns: count, seed });
  const taken = new Set<number>();
  const known = drawn.map(({ at, ...fields }, index): Known => {
    let moment = at;
    while (taken.has(moment)) moment += 1;
    taken.add(moment);
    const hex = Math.floor(moment / 1000)
      .toString(16)
      .padStart(12, '0');
    const rest = (moment - Math.floor(moment / 1000) * 1000).toString(16).padStart(3, '0');
    const id = `${hex.slice(0, 8)}-${hex.slice(8)}-7${rest}-8000-${index.toString(16).padStart(12, '0')}`;
    return { ...fields, id, createdAt: textOf(moment) };
  });
  await store(database, tenantId, known.slice(0, sequenced));
  await new Sequencer(database, new Sealer(SIGNER)).catchUp(tenantId);
  await store(database, tenantId, known.slice(sequenced));
  return known;
}

async function store(database: Database, tenantId: string, known: readonly Known[]): Promise<void> {
  for (let start = 0; start < known.length; start += 1_000) {
    const prepared = known.slice(start, start + 1_000).map(({ id, createdAt, ...fields }) => {
      const checked = checkInput(
        { ...fields, tenantId },
        { kind: 'module', module: '*', ip: null, agent: null },
      );
      return prepareEntry(checked, { id, createdAt });
    });
    await database.write([tenantId], (execute) => storeEntries(execute, prepared));
  }
}

const some = <T>(values: readonly T[]) => fc.subarray([...values], { minLength: 1 });
const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { freq: 1, nil: undefined });

/** Filters for which the stored counts suffice, and others. */
export const filters: fc.Arbitrary<LogFilter> = fc
  .record({
    startDate: fc.option(instants, { nil: undefined }),
    endDate: fc.option(instants, { nil: undefined }),
    modules: maybe(some(MODULES)),
    notModules: maybe(some(MODULES.slice(0, 2))),
    severities: maybe(some(SEVERITIES)),
    minSeverity: maybe(fc.constantFrom(...SEVERITIES)),
    clientId: maybe(fc.constantFrom(...CLIENTS)),
    fine: fc.option(
      fc.record({
        actions: maybe(some([...ACTIONS, 'users.*'])),
        notActions: maybe(some(['users.*', 'usersx'])),
        actorIds: maybe(some(ACTORS)),
        actorEmail: maybe(fc.constant('ANA@example.com')),
        resourceType: maybe(fc.constant('user')),
      }),
      { freq: 2, nil: undefined },
    ),
  })
  .map(({ fine, ...filter }) => ({ ...filter, ...fine }));

export const scopes = (tenantId: string): fc.Arbitrary<Scope> =>
  fc
    .constantFrom(null, null, CLIENTS.slice(0, 1), CLIENTS.slice(0, 2))
    .map((clients) => ({ tenantId, clients }));

/** The matching entries, oldest first, computed from the documentation alone. */
export function matching(known: readonly Known[], scope: Scope, filter: LogFilter): Known[] {
  const isAction = (entry: Known, patterns: readonly string[]) =>
    patterns.some((pattern) =>
      pattern.endsWith('.*') ? entry.action.startsWith(pattern.slice(0, -1)) : entry.action === pattern,
    );
  const grave = (severity: LogSeverity) => Object.values(LogSeverity).indexOf(severity);
  return known
    .filter(
      (entry) =>
        (scope.clients === null || (entry.clientId !== null && scope.clients.includes(entry.clientId))) &&
        (!filter.startDate || entry.createdAt >= filter.startDate) &&
        (!filter.endDate || entry.createdAt <= filter.endDate) &&
        (!filter.modules || filter.modules.includes(entry.module)) &&
        !filter.notModules?.includes(entry.module) &&
        (!filter.severities || filter.severities.includes(entry.severity)) &&
        (!filter.minSeverity || grave(entry.severity) >= grave(filter.minSeverity)) &&
        (!filter.clientId || entry.clientId === filter.clientId) &&
        (!filter.actions || isAction(entry, filter.actions)) &&
        (!filter.notActions || !isAction(entry, filter.notActions)) &&
        (!filter.actorIds || (entry.actorId !== null && filter.actorIds.includes(entry.actorId))) &&
        (!filter.actorEmail || entry.actorEmail?.toLowerCase() === filter.actorEmail.toLowerCase()) &&
        (!filter.resourceType || entry.resourceType === filter.resourceType),
    )
    .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}
