import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../../src/log/entry/log-entry.entity.js';
import { StreamFormat } from '../../src/stream/formats/format.js';
import { FORMATS } from '../../src/stream/formats/formats.js';
import { addOcsfRules, classify, OCSF_RULES, OCSF_VERSION } from '../../src/stream/formats/ocsf.js';

const STREAM = '0198c0de-0000-7000-8000-000000000001';

interface Shape {
  attributes: Record<string, { requirement?: string | null; enum?: string[] }>;
  constraints: { at_least_one?: string[] };
}
const schema = JSON.parse(
  readFileSync(new URL('../fixtures/ocsf/required.json', import.meta.url), 'utf8'),
) as {
  version: string;
  classes: Record<string, Shape & { category: number }>;
  objects: Record<string, Shape>;
  enums: Record<string, string[]>;
};

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const word = fc.stringMatching(/^[a-z]{1,8}$/);
const odd = fc
  .string({ minLength: 1, maxLength: 20 })
  .filter((text) => text.isWellFormed() && !text.includes('\0'));
const action = fc.oneof(
  fc
    .tuple(
      word,
      fc.constantFrom(
        'create',
        'created',
        'login',
        'logout',
        'delete',
        'update',
        'read',
        'disable',
        'lock',
        'move',
        'password_reset',
        'frobnicate',
      ),
    )
    .map((parts) => parts.join('.')),
  odd,
);
const entries: fc.Arbitrary<LogEntry> = fc.record({
  id: fc.uuid(),
  module: word,
  action,
  severity: fc.constantFrom('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'),
  resourceType: maybe(fc.oneof(fc.constantFrom('user', 'account', 'invoice'), odd)),
  resourceId: maybe(odd),
  resourceName: maybe(odd),
  data: maybe(fc.dictionary(word, fc.jsonValue())),
  actorId: maybe(odd),
  actorEmail: maybe(fc.constant('ana@example.com')),
  actorName: maybe(odd),
  actorType: fc.constantFrom('USER', 'SERVICE', 'AGENT', 'SYSTEM', 'ANONYMOUS'),
  onBehalfOfId: maybe(odd),
  onBehalfOfName: maybe(odd),
  outcome: maybe(fc.constantFrom('SUCCESS', 'FAILURE', 'DENIED')),
  tenantId: fc.uuid(),
  clientId: maybe(fc.uuid()),
  ipAddress: maybe(fc.oneof(fc.ipV4(), fc.constant('2001:db8::1'))),
  userAgent: maybe(odd),
  requestId: maybe(odd),
  repaired: fc.constant([]),
  origin: fc.constantFrom('MODULE', 'BROWSER'),
  occurredAt: fc.constant('2026-01-05T10:00:00.123456Z'),
  createdAt: fc.constant('2026-01-05T10:00:01.654321Z'),
  sequence: fc.integer({ min: 1, max: 2 ** 40 }),
  erasedAt: fc.constant(null),
}) as never;

/** Required attributes, at least one of those of which one is needed, and no attribute that the schema does not have. */
function checkShape(value: Record<string, unknown>, { attributes, constraints }: Shape, where: string): void {
  for (const [name, { requirement }] of Object.entries(attributes))
    if (requirement === 'required')
      expect([where, name, value[name] ?? null]).not.toEqual([where, name, null]);
  const needed = constraints.at_least_one;
  if (needed) expect([where, needed.some((name) => value[name] != null)]).toEqual([where, true]);
  for (const name of Object.keys(value)) expect(Object.keys(attributes)).toContain(name);
  for (const [name, inner] of Object.entries(value)) {
    const shape = schema.objects[name];
    if (!shape || name === 'unmapped') continue;
    for (const each of Array.isArray(inner) ? inner : [inner])
      checkShape(each as Record<string, unknown>, shape, `${where}.${name}`);
  }
}

describe('ocsf', () => {
  it('has what the release requires of the class, whatever the entry', () => {
    expect(schema.version).toBe(OCSF_VERSION);
    fc.assert(
      fc.property(entries, (entry) => {
        const event = FORMATS[StreamFormat.OCSF](entry, { streamId: STREAM }) as {
          class_uid: number;
          category_uid: number;
          activity_id: number;
          type_uid: number;
          unmapped: object;
          metadata: object;
        } & Record<string, unknown>;
        const shape = schema.classes[event.class_uid]!;
        checkShape(event, shape, String(event.class_uid));
        expect(event.category_uid).toBe(shape.category);
        expect(event.type_uid).toBe(100 * event.class_uid + event.activity_id);
        expect(shape.attributes.activity_id!.enum).toContain(String(event.activity_id));
        for (const name of ['severity_id', 'status_id'])
          expect(schema.enums[name]).toContain(String(event[name]));
        expect(event.unmapped).toMatchObject({
          id: entry.id,
          sequence: entry.sequence,
          tenant_id: entry.tenantId,
          data: entry.data,
        });
        expect(event.metadata).toMatchObject({
          uid: entry.id,
          sequence: entry.sequence,
          tenant_uid: entry.tenantId,
          labels: [`stream:${STREAM}`],
        });
      }),
    );
  });

  it.each([
    ['users.login', null, 'AUTHENTICATION', 1],
    ['auth.signed_out', null, 'API_ACTIVITY', 99],
    ['session.logout', null, 'AUTHENTICATION', 2],
    ['users.create', 'user', 'ACCOUNT_CHANGE', 1],
    ['users.deleted', 'users', 'ACCOUNT_CHANGE', 6],
    ['users.password_reset', 'user', 'ACCOUNT_CHANGE', 4],
    ['invoices.create', 'invoice', 'ENTITY_MANAGEMENT', 1],
    ['invoices.cancelled', 'invoice', 'API_ACTIVITY', 99],
    ['reports.read', null, 'API_ACTIVITY', 2],
  ])('%s of %s is %s, activity %i', (name, resourceType, ofClass, activity) => {
    expect(classify({ action: name, resourceType })).toMatchObject({ class: ofClass, activity });
  });

  it('is as docs/ocsf.md has it', () => {
    const page = readFileSync(new URL('../../docs/ocsf.md', import.meta.url), 'utf8');
    expect(page).toContain(`release ${OCSF_VERSION}`);
    const rows = [...page.matchAll(/^\| (`.*`) \| ?(any|a person)? ?\| ([A-Z][\w ]+) \| (\d+) \|$/gm)];
    expect(rows).toHaveLength(OCSF_RULES.length);
    const seen = new Set<string>();
    for (const [, words, resource, name, activity] of rows)
      for (const word of words!.matchAll(/`(\w+)`/g)) {
        const resourceType = resource === undefined ? null : resource === 'any' ? 'invoice' : 'user';
        const key = `${word[1]} ${resourceType}`;
        // An earlier row decides.
        if (seen.has(key)) continue;
        seen.add(key);
        expect([key, classify({ action: `things.${word[1]}`, resourceType })]).toMatchObject([
          key,
          { class: name!.toUpperCase().replaceAll(' ', '_'), activity: Number(activity) },
        ]);
      }
  });

  it('takes a host’s own rules first', () => {
    const rule = { action: /^invoices\.cancelled$/, class: 'ENTITY_MANAGEMENT', activity: 4 } as const;
    addOcsfRules([rule]);
    expect(classify({ action: 'invoices.cancelled', resourceType: 'invoice' })).toBe(rule);
    expect(OCSF_RULES).not.toContain(rule);
  });
});

describe('ecs', () => {
  const CATEGORIES = {
    authentication: ['start', 'end', 'info'],
    iam: ['user', 'creation', 'deletion', 'change'],
    api: ['access', 'change', 'creation', 'deletion', 'denied', 'info'],
  };

  it('has what ECS requires, and only values that its enumerations allow', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const event = FORMATS[StreamFormat.ECS](entry, { streamId: STREAM }) as never as Record<
          string,
          Record<string, never>
        >;
        expect(event['@timestamp']).toBe(entry.occurredAt);
        expect(event.ecs!.version).toMatch(/^8\./);
        const { category, type, outcome, kind } = event.event as never as {
          category: string[];
          type: string[];
          outcome: string;
          kind: string;
        };
        expect(kind).toBe('event');
        expect(['success', 'failure', 'unknown']).toContain(outcome);
        const allowed = CATEGORIES[category[0] as keyof typeof CATEGORIES];
        for (const each of type) expect(allowed).toContain(each);
        expect(event).toMatchObject({
          event: { id: entry.id, sequence: entry.sequence },
          organization: { id: entry.tenantId },
          labels: { reel_stream: STREAM },
          reel: { id: entry.id },
        });
      }),
    );
  });
});

describe('cef', () => {
  /** As a parser of CEF reads it. */
  function parse(text: string): { header: string[]; extension: Record<string, string> } {
    const header: string[] = [];
    let at = 0;
    while (header.length < 7) {
      let part = '';
      for (; text[at] !== '|'; at += 1) {
        if (text[at] === '\\') at += 1;
        part += text[at];
      }
      header.push(part);
      at += 1;
    }
    const extension: Record<string, string> = {};
    const rest = text.slice(at);
    for (const [, name, value] of rest.matchAll(/(?:^| )(\w+)=((?:\\.|[^\\=])*?)(?=(?: \w+=)|$)/gs))
      extension[name!] = value!.replace(/\\(.)/gs, (_, letter: string) => (letter === 'n' ? '\n' : letter));
    return { header, extension };
  }

  it('reads back, whatever is in the entry', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const { header, extension } = parse(String(FORMATS[StreamFormat.CEF](entry, { streamId: STREAM })));
        expect(header.slice(0, 3)).toEqual(['CEF:0', 'Reel', 'Reel']);
        expect(header[4]).toBe(entry.action.replace(/[\r\n]+/g, ' '));
        expect(Number(header[6])).toBeLessThanOrEqual(10);
        expect(extension).toMatchObject({
          externalId: entry.id,
          cs1: entry.tenantId,
          cs1Label: 'Tenant',
          cs3: STREAM,
          cn1: String(entry.sequence),
        });
        if (entry.actorId !== null) expect(extension.suid).toBe(entry.actorId.replace(/\r\n|\r/g, '\n'));
      }),
    );
  });
});
