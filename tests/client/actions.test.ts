import { createReelClient, defineActions, type Reel, runInContext } from 'reel/client';
import { mockReel } from 'reel/client/mock';
import { registrationsOf } from 'reel/client/registrations';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';

const tenantId = '0196f2f0-0000-7000-8000-00000000a001';
const Invoice = z.object({ amount: z.number(), card: z.string() });
const actions = defineActions('billing', {
  'invoices.delete': {
    version: 2,
    severity: 'WARNING',
    resource: 'invoice',
    description: 'An invoice is deleted for good',
    data: z.object({ before: Invoice, reason: z.string() }),
    redact: [{ path: 'before.card', how: 'mask' }, 'before.cvc'],
  },
  'sessions.end': {},
});
const before = { amount: 1, card: '4111111111111111' };

describe('names and data', () => {
  test('are checked when they are compiled', () => {
    const reel = mockReel({ actions });
    reel.log('invoices.delete', { tenantId, data: { before, reason: 'x' } });
    reel.log('sessions.end', { tenantId });
    // @ts-expect-error no such action
    reel.log('invoices.destroy', { tenantId });
    // @ts-expect-error an invoice is deleted with its data
    reel.log('invoices.delete', { tenantId });
    // @ts-expect-error a reason is text
    reel.log('invoices.delete', { tenantId, data: { before, reason: 1 } });
    // @ts-expect-error no such field
    reel.log('sessions.end', { tenantID: tenantId });
    expectTypeOf(reel.log('sessions.end', { tenantId })).toEqualTypeOf<boolean>();
    expectTypeOf(reel.log('sessions.end', { tenantId }, { wait: true })).resolves.toHaveProperty('id');
    expectTypeOf(createReelClient<typeof actions.actions>).returns.toEqualTypeOf<
      Reel<typeof actions.actions>
    >();
    // @ts-expect-error a severity is one of five
    defineActions('billing', { a: { severity: 'HIGH' } });
    // @ts-expect-error data is described by a schema
    defineActions('billing', { a: { data: { type: 'object' } } });
  });

  test('are checked when they are recorded, and named where they are wrong', () => {
    const reel = mockReel({ actions });
    const log = (action: string, data?: unknown) =>
      (reel as Reel).log(action, { tenantId, data: data as never });
    expect(log('invoices.delete', { before, reason: 'x' })).toBe(true);
    expect(log('invoices.delete', { before: { ...before, amount: '1' }, reason: 'x' })).toBe(false);
    expect(log('invoices.delete')).toBe(false);
    expect(log('invoices.destroy')).toBe(false);
    expect(reel.rejections.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^data\.before\.amount: /),
      expect.stringMatching(/^data: /),
      "action: expected one of billing's, got invoices.destroy",
    ]);
    // Even what is refused is redacted.
    expect(JSON.stringify(reel.rejections)).not.toContain('4111111111111111');
  });

  test('of a schema that answers later are taken', async () => {
    const later = defineActions('billing', {
      'a.b': { data: z.object({ x: z.string().refine(async () => false) }) },
    });
    expect(mockReel({ actions: later }).log('a.b', { tenantId, data: { x: 'y' } })).toBe(true);
  });
});

test('an entry has what its action says, and what is recorded goes before it', () => {
  const reel = mockReel({ actions });
  reel.log('invoices.delete', { tenantId, resource: { id: 42 }, data: { before, reason: 'x' } });
  reel.log('invoices.delete', {
    tenantId,
    resource: { id: 42, type: 'bill' },
    severity: 'CRITICAL',
    data: { before, reason: 'x' },
  });
  expect(reel.entries).toMatchObject([
    {
      module: 'billing',
      action: 'invoices.delete',
      severity: 'WARNING',
      resource_type: 'invoice',
      resource_id: '42',
      data: { before: { amount: 1, card: '****1111' }, reason: 'x', _redacted: { 'before.card': 'mask' } },
    },
    { severity: 'CRITICAL', resource_type: 'bill' },
  ]);
});

test('a context says what an entry leaves out, and is asked when it is made', () => {
  const reel = mockReel({ actions });
  let name = 'nobody';
  runInContext(
    () => ({ tenantId, requestId: 'r', actor: { id: 'ana', name } }),
    () => {
      name = 'Ana';
      reel.log('sessions.end', {});
      reel.log('sessions.end', { requestId: undefined, actor: { id: 'bot' } });
      reel.log('sessions.end', { actor: null, requestId: 'other' });
    },
  );
  expect(reel.entries).toMatchObject([
    { tenant_id: tenantId, request_id: 'r', actor_id: 'ana', actor_name: 'Ana' },
    { request_id: 'r', actor_id: 'bot' },
    { request_id: 'other' },
  ]);
  expect(reel.entries[1]).not.toHaveProperty('actor_name');
  expect(reel.entries[2]).not.toHaveProperty('actor_id');
});

describe('mockReel', () => {
  test('waits, rejects, counts and forgets', async () => {
    const reel = mockReel({ actions });
    expect(await reel.logAndWait('sessions.end', { tenantId })).toMatchObject({ id: expect.any(String) });
    await expect(reel.log('sessions.end', {}, { wait: true })).rejects.toMatchObject({ code: 'INVALID' });
    expect(reel.stats()).toMatchObject({ sent: 1, rejected: 1 });
    expect(await reel.flush()).toBe(true);
    reel.clear();
    expect(reel.entries).toEqual([]);
    await reel.close();
  });

  test('needs no actions', () => {
    const reel = mockReel({ module: 'billing' });
    expect(reel.log('whatever', { tenantId, data: { a: 1 } })).toBe(true);
  });
});

describe('what a push registers', () => {
  test('is each action with its JSON Schema', () => {
    expect(registrationsOf(actions)).toEqual([
      {
        module: 'billing',
        action: 'invoices.delete',
        version: 2,
        severity: 'WARNING',
        resource: 'invoice',
        description: 'An invoice is deleted for good',
        redaction: [
          { path: 'before.card', how: 'mask' },
          { path: 'before.cvc', how: 'drop' },
        ],
        schema: {
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          type: 'object',
          properties: {
            before: {
              type: 'object',
              properties: { amount: { type: 'number' }, card: { type: 'string' } },
              required: ['amount', 'card'],
            },
            reason: { type: 'string' },
          },
          required: ['before', 'reason'],
        },
      },
      {
        module: 'billing',
        action: 'sessions.end',
        version: 1,
        severity: 'INFO',
        resource: null,
        description: null,
        redaction: [],
        schema: null,
      },
    ]);
  });

  test('names the action whose data JSON Schema cannot describe', () => {
    const faulty = defineActions('billing', { 'a.b': { data: z.object({ at: z.date() }) } });
    expect(() => registrationsOf(faulty)).toThrow(/^a\.b: expected data that JSON Schema can describe/);
  });
});
