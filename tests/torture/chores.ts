/** What operators do to a trail while it is written: clean-up, holds, erasure, keeping checkpoints, new signing keys. */
import type { Random } from './built.ts';
import type { Fleet } from './fleet.ts';
import type { Hold, Ledger } from './ledger.ts';
import type { Tenant } from './tenants.ts';

const DAY_MS = 86_400_000;

export interface Operating {
  fleet: Fleet;
  ledger: Ledger;
  tenants: readonly Tenant[];
  /** Entries younger than this are never cleaned up; falls as the run goes on, so that each clean-up finds some. */
  days: number;
}

type Chore = (operating: Operating, random: Random) => Promise<string>;

const cleanup: Chore = async ({ fleet, ledger, tenants, days }, random) => {
  const tenant = random.chance(0.5) ? null : random.pick(tenants);
  const startedAt = Date.now();
  const args = ['cleanup', '--days', String(days), ...(tenant ? ['--tenant', tenant.id] : [])];
  const { code } = await fleet.command(args);
  const endedAt = Date.now();
  ledger.cleanups.push({
    tenantId: tenant?.id ?? null,
    startedAt,
    endedAt,
    code,
    before: endedAt - days * DAY_MS,
  });
  return outcome(`cleanup ${days} days`, code);
};

const erase: Chore = async ({ fleet, ledger, tenants }, random) => {
  const tenant = random.pick(tenants);
  const actor = random.pick(tenant.actors);
  const kind = random.pick(['actor', 'email', 'entry'] as const);
  const known = ledger.of(tenant.id);
  const target =
    kind === 'actor' || known.length === 0
      ? { actor: actor.id }
      : kind === 'email'
        ? { email: actor.email }
        : { entry: random.pick(known).id };
  const [[option, value]] = Object.entries(target) as [[string, string]];
  const startedAt = Date.now();
  const args = ['erase', '--tenant', tenant.id, `--${option}`, value, '--reason', 'asked for in a test'];
  const { code } = await fleet.command(args);
  ledger.erasures.push({ tenantId: tenant.id, target, startedAt, endedAt: Date.now(), code });
  return outcome(`erase --${option}`, code);
};

const addHold: Chore = async ({ fleet, ledger, tenants, days }, random) => {
  const tenant = random.pick(tenants);
  const actor = random.chance(0.6) ? random.pick(tenant.actors).id : null;
  const from = actor === null ? new Date(Date.now() - random.integer(days - 20, days + 20) * DAY_MS) : null;
  const to = from && new Date(from.getTime() + 2 * DAY_MS);
  const terms = { actor, from: from?.toISOString() ?? null, to: to?.toISOString() ?? null };
  const args = Object.entries(terms).flatMap(([name, value]) => (value === null ? [] : [`--${name}`, value]));
  const { code, stdout } = await fleet.command([
    ...['hold', 'add', '--tenant', tenant.id, '--reason', 'a case', ...args],
  ]);
  if (code === 0) {
    const id = stdout.trim();
    ledger.holds.push({ id, tenantId: tenant.id, ...terms, addedAt: Date.now(), releasedAt: Infinity });
  }
  return outcome('hold add', code);
};

const releaseHold: Chore = async (operating, random) => {
  const { fleet, ledger } = operating;
  const inForce = ledger.holds.filter(({ releasedAt, isKept }) => releasedAt === Infinity && !isKept);
  if (inForce.length < 3) return addHold(operating, random);
  const hold: Hold = random.pick(inForce);
  hold.releasedAt = Date.now();
  const { code } = await fleet.command(['hold', 'release', hold.id]);
  return outcome('hold release', code);
};

const keepCheckpoint: Chore = async ({ fleet, ledger, tenants }, random) => {
  const tenant = random.pick(tenants);
  const { code, stdout } = await fleet.command(['checkpoint', '--tenant', tenant.id]);
  if (code === 0) ledger.notes.push({ tenantId: tenant.id, note: stdout });
  return outcome('checkpoint kept', code);
};

/** A new key for one server after the other, which end as they are asked to and start again. */
const rotateKey: Chore = async ({ fleet, ledger }) => {
  await fleet.newSigningKey();
  for (const index of fleet.servers.keys()) {
    const code = await fleet.stop(index);
    if (code !== 0) ledger.fault(`a server that was asked to end ended with ${code}: ${fleet.logs.at(-1)}`);
    await fleet.start(index);
  }
  return 'new signing key';
};

const CHORES: readonly Chore[] = [
  ...[cleanup, cleanup, erase, erase, erase, addHold, addHold, releaseHold, keepCheckpoint, keepCheckpoint],
  rotateKey,
];

/** Does one of them; what it was, with `interrupted` where something was killed under it. */
export const doChore = (operating: Operating, random: Random): Promise<string> =>
  random.pick(CHORES)(operating, random);

/** 1 is of an erasure that a hold kept from a part. */
const outcome = (what: string, code: number | null): string =>
  code === 0 || code === 1 ? what : `${what} interrupted`;
