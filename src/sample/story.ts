import { v4, v7 } from 'uuid';
import { checkInput } from '../log/entry/check-entry.js';
import { Identifier } from '../log/entry/identifier.js';
import { LogSeverity } from '../log/entry/severity.js';
import type { LogInput } from '../log/service.js';
import { type PreparedEntry, prepareEntry } from '../log/write/prepare.js';
import type { SampleTenant } from './entries.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const TUESDAY = 2;

const CUSTOMER = {
  actorId: '0196f2f0-0000-7000-8000-00000000b101',
  actorEmail: 'helena.prado@example.com',
  actorName: 'Helena Prado',
  ipAddress: '203.0.113.24',
};
const SUPPORT = {
  actorId: '0196f2f0-0000-7000-8000-00000000b102',
  actorEmail: 'tom.becker@example.com',
  actorName: 'Tom Becker',
  ipAddress: '198.51.100.7',
};

export interface Story {
  entries: PreparedEntry[];
  /** An entry whose actor asked for erasure. */
  erasedId: string;
}

/** Two incidents to investigate: an invoice deleted last Tuesday, and payments that fail today. */
export function storyOf(tenant: SampleTenant, now: number): Story {
  const entry = (at: number, input: Omit<LogInput, 'tenantId'>): PreparedEntry => {
    const author = { kind: 'module', module: input.module, ip: null, agent: null } as const;
    const micros = Math.min(at, now - MINUTE_MS) * 1000;
    const identity = new Identifier({ now: () => micros, latest: () => micros }).next();
    return prepareEntry(checkInput({ ...input, tenantId: tenant.id }, author), identity);
  };
  const tuesday = lastTuesday(now);
  const [clientId, requestId] = [tenant.clientIds[0]!, v4()];
  const acting = {
    ...{ clientId, requestId, ...SUPPORT },
    onBehalfOfId: CUSTOMER.actorId,
    onBehalfOfName: CUSTOMER.actorName,
  };
  const subject = { resourceType: 'invoice', resourceId: 'invoice-4711', resourceName: 'Invoice 2026-4711' };
  const invoice = {
    number: '2026-4711',
    amount: 18_250.4,
    currency: 'BRL',
    state: 'issued',
    customer: 'Padaria Aurora',
  };
  const deletion = [
    entry(tuesday, {
      ...acting,
      module: 'guardian',
      action: 'sessions.impersonate',
      severity: LogSeverity.WARNING,
      resourceType: 'user',
      resourceId: CUSTOMER.actorId,
      resourceName: CUSTOMER.actorName,
      data: { ticket: 'SUP-2318', minutes: 30 },
    }),
    entry(tuesday + 2 * MINUTE_MS, {
      ...acting,
      module: 'billing',
      action: 'invoices.update',
      ...subject,
      data: { before: invoice, after: { ...invoice, state: 'cancelled' } },
    }),
    entry(tuesday + 3 * MINUTE_MS, {
      ...acting,
      module: 'billing',
      action: 'invoices.delete',
      severity: LogSeverity.WARNING,
      ...subject,
      data: { before: { ...invoice, state: 'cancelled' }, reason: 'duplicate of 2026-4710' },
    }),
  ];
  const outage = Array.from({ length: 14 }, (_, index) =>
    entry(now - 170 * MINUTE_MS + index * 23_000, {
      module: 'billing',
      action: 'payments.charge',
      severity: index < 12 ? LogSeverity.ERROR : LogSeverity.CRITICAL,
      clientId,
      resourceType: 'payment',
      resourceId: 'payment-90417',
      data: { error: 'gateway timed out after 10000 ms', code: 'gateway_timeout', attempt: index + 1 },
    }),
  );
  const erased = entry(now - 3 * DAY_MS, {
    ...CUSTOMER,
    actorId: v7(),
    actorEmail: 'rui.antunes@example.com',
    actorName: 'Rui Antunes',
    module: 'guardian',
    action: 'users.update',
    clientId,
    resourceType: 'user',
    resourceId: 'user-7781',
    data: { before: { phone: '+351 912 000 111' }, after: { phone: '+351 912 000 222' } },
  });
  return { entries: [...deletion, ...outage, erased], erasedId: erased.entry.id };
}

/** The Tuesday before today, in the afternoon, UTC. */
function lastTuesday(now: number): number {
  const today = Math.floor(now / DAY_MS) * DAY_MS;
  const daysBack = (new Date(today).getUTCDay() - TUESDAY + 6) % 7;
  return today - (daysBack + 1) * DAY_MS + (14 * 60 + 7) * MINUTE_MS;
}
