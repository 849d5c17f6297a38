import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { asText, compile } from '../../src/database/execute.js';
import { fromTemplate } from '../../src/database/template.js';

const build = ({ tenantId, skip }: { tenantId: string; skip: number }) =>
  asText(
    sql`select from t where tenant_id = ${tenantId}::uuid and n = any (${[1, 2]}) and ${tenantId} is not null offset ${skip}`,
  );

test('a statement from a template is the one that would be built of its values, and is built once', () => {
  let times = 0;
  for (const values of [
    { tenantId: randomUUID(), skip: 0 },
    { tenantId: 'a stand-in for skip', skip: 1_000 },
    { tenantId: randomUUID(), skip: 2 },
  ]) {
    const made = fromTemplate('of a test', values, (standIns) => {
      times += 1;
      return build(standIns);
    });
    expect(made.isText).toBe(true);
    expect([made.sql, made.parameters]).toEqual([build(values).sql, build(values).parameters]);
  }
  expect(times).toBe(1);
});

test('a value that is no parameter of its own is told when the template is made', () => {
  const inList = ({ id }: { id: string }) => compile(sql`select ${[id]}::uuid[]`);
  expect(() => fromTemplate('of a list', { id: randomUUID() }, inList)).toThrow(/id: expected a parameter/);
});
