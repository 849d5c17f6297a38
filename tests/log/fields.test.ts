import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type EntityMetadata, MikroORM } from '@mikro-orm/postgresql';
import { buildSchema, GraphQLNonNull, type GraphQLObjectType } from 'graphql';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databaseOptions } from '../../src/database/options.js';
import { checkInput } from '../../src/log/entry/check-entry.js';
import {
  DERIVED_COLUMNS,
  FIELDS,
  field,
  personalColumns,
  storedColumns,
} from '../../src/log/entry/fields.js';
import { Identifier } from '../../src/log/entry/identifier.js';
import { nullable, storedAs } from '../../src/log/entry/kinds.js';
import { LEAF, LeafVersion } from '../../src/log/entry/leaf.js';
import { LogEntry } from '../../src/log/entry/log-entry.entity.js';
import { readEntry, selectList } from '../../src/log/entry/row.js';
import { entryNames, exportColumns, showEntry } from '../../src/log/entry/wire.js';
import { EXPORT_FORMATS } from '../../src/log/export/export-format.js';
import { insertColumns, prepareEntry } from '../../src/log/write/prepare.js';
import { storeEntries } from '../../src/log/write/store.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { openTrail, type Trail } from '../support/trail.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('the table of fields says what is there', () => {
  let own: TestDatabase;
  beforeAll(async () => {
    own = await createDatabase();
  });
  afterAll(() => own?.drop());

  test('of every column of reel_log_entries, with its type', async () => {
    const rows = await own.query(
      `select column_name as column, data_type as type from information_schema.columns
       where table_name = 'reel_log_entries' order by column_name`,
    );
    const kept = [...storedColumns(), ...DERIVED_COLUMNS.filter(({ column }) => column === 'key_digest')];
    expect(kept.map(({ column, type }) => ({ column, type })).sort(byColumn)).toEqual(rows.sort(byColumn));
    expect(insertColumns().sort()).toEqual(
      kept
        .map(({ column }) => column)
        .filter((column) => column !== 'erased_at')
        .sort(),
    );
  });

  test('of every property of the entity', async () => {
    const orm = await MikroORM.init(databaseOptions(own.ownerUrl, { max: 1 }, [LogEntry]));
    try {
      const entity = orm.getMetadata().get<LogEntry>(LogEntry) as EntityMetadata<LogEntry>;
      const properties = Object.values(entity.properties).filter(({ lazy }) => !lazy);
      expect(properties.map(({ name }) => String(name)).sort()).toEqual(
        FIELDS.map(({ name }) => name).sort(),
      );
      for (const { name, nullable: isNullable } of FIELDS)
        expect([name, Boolean(entity.properties[name].nullable)]).toEqual([name, isNullable]);
    } finally {
      await orm.close(true);
    }
  });

  test('of every stored field of the GraphQL type', () => {
    const type = buildSchema(read('schema.graphql')).getType('LogEntry') as GraphQLObjectType;
    const resolved = ['changes', 'changeCount', 'related', 'proof'];
    const fields = Object.values(type.getFields()).filter(({ name }) => !resolved.includes(name));
    const shape = (name: string, isNullable: boolean) => `${name}${isNullable ? '' : '!'}`;
    expect(fields.map((each) => shape(each.name, !(each.type instanceof GraphQLNonNull))).sort()).toEqual(
      FIELDS.map((each) => shape(each.name, each.nullable)).sort(),
    );
  });

  test("of every field of web/reel's LogEntry, in REST's order", () => {
    const [, body = ''] = /export interface LogEntry \{([^}]*)\}/.exec(read('web/reel/wire.ts')) ?? [];
    const names = [...body.matchAll(/^ {2}(\w+): (.*);$/gm)].map(([, name, type]) => [
      name,
      type?.includes('| null'),
    ]);
    expect(names).toEqual(
      FIELDS.filter(({ rest }) => rest).map(({ column, nullable: isNullable }) => [column, isNullable]),
    );
    expect(names.map(([name]) => name)).toEqual(entryNames());
  });
});

const byColumn = (a: Record<string, unknown>, b: Record<string, unknown>) =>
  String(a.column) < String(b.column) ? -1 : 1;

describe('a field that is added to the table and as a column', () => {
  let trail: Trail;
  beforeAll(async () => {
    trail = await openTrail();
    await trail.own.query(
      'alter table reel_log_entries add column made_up text, drop constraint reel_log_entries_leaf_version_check',
    );
  });
  afterAll(() => trail?.close());

  // The type of an entry comes from its description, log-entry.entity.ts, which a test cannot add to.
  const madeUp = (sealed: 'leaf' | 'identity') =>
    field('madeUp' as 'actorName', nullable(storedAs.text), {
      sealed,
      since: 3,
      export: 26,
      standard: true,
      personal: sealed === 'identity',
    });

  test.each(['leaf', 'identity'] as const)(
    'is inserted, read, sealed, shown and erased, in the %s',
    async (part) => {
      const fields = [...FIELDS, madeUp(part)];
      const leaf = new LeafVersion(3, fields);
      const tenantId = randomUUID();
      const checked = checkInput(
        { module: 'guardian', action: 'users.create', tenantId },
        { kind: 'module', module: '*', ip: null, agent: null },
      );
      const prepare = (value: string) =>
        prepareEntry({ ...checked, madeUp: value } as typeof checked, new Identifier().next(), undefined, {
          fields,
          leaf,
        });
      const prepared = prepare('a value');
      await trail.database.write([tenantId], (execute) =>
        storeEntries(execute, [prepared], insertColumns(fields)),
      );

      const rows = await trail.database.read(tenantId, (execute) =>
        execute(
          sql`select ${sql.raw(selectList(fields))} from reel_log_entries where tenant_id = ${tenantId}::uuid`,
        ),
      );
      const [entry] = rows.map((row) => readEntry(row, fields));
      expect(entry).toEqual(prepared.entry);
      expect(entry).toMatchObject({ madeUp: 'a value' });

      const [digest, text] = [
        prepared.values[insertColumns(fields).indexOf('identity_digest')] as Buffer,
        'a value',
      ];
      const leafText = leaf.leafText(entry!, digest.toString('hex'), null);
      expect(leafText.includes(text)).toBe(part === 'leaf');
      expect(JSON.parse(leafText).v).toBe(3);
      const changed = { ...entry!, madeUp: 'another' };
      expect([leaf.hashIdentity(Buffer.alloc(16), entry!), leaf.leafText(entry!, '', null)]).not.toEqual([
        leaf.hashIdentity(Buffer.alloc(16), changed),
        leaf.leafText(changed, '', null),
      ]);
      // Entries of the version before are sealed as they were.
      expect(new LeafVersion(2, fields).leafText(entry!, '', null)).toBe(LEAF.leafText(entry!, '', null));

      expect(showEntry(entry!, fields)).toMatchObject({ made_up: 'a value' });
      expect(Object.keys(showEntry(entry!, fields))).toEqual(entryNames(fields));
      const columns = exportColumns(false, fields);
      const csv = EXPORT_FORMATS.CSV.head(columns) + EXPORT_FORMATS.CSV.rows([entry!], columns, true);
      expect(csv.split('\r\n').map((line) => line.split(',').at(-1))).toEqual(['made_up', 'a value', '']);

      expect(personalColumns(fields).includes('made_up')).toBe(part === 'identity');
      expect(storedColumns(fields).map(({ column }) => column)).toContain('made_up');
    },
  );
});
