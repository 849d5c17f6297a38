import { expect, test } from 'vitest';
import { tablesWithoutTenant } from '../support/tenant-rule.js';

const left = (sql: string) => tablesWithoutTenant(sql, (table) => /^(e|s|k)_table$/.test(table));

test.each([
  ['select 1 from e_table where tenant_id = $1::uuid and id = $2'],
  ['select * from e_table e join s_table s on s.tenant_id = $1 and s.id = e.id where e.tenant_id = $1'],
  [
    'select e.*, (select 1 from k_table k where k.tenant_id = $1 and k.id = e.id) from e_table e where e.tenant_id = $1',
  ],
  ['select * from (select tenant_id, a from e_table) stored where tenant_id = $1'],
  ["delete from e_table where tenant_id = '00000000-0000-0000-0000-000000000000'::uuid"],
  ['insert into e_table as t (tenant_id, n) values ($1, $2) on conflict (tenant_id) do update set n = t.n'],
  ['with w as (select * from e_table where tenant_id = $1) select * from w join other o on o.id = w.id'],
  ['(select id from e_table where tenant_id = $1) union all (select id from s_table where tenant_id = $2)'],
  ['update e_table e set a = 1 where (e.tenant_id = $1 and e.b) and e.id = any ($2)'],
])('each table has its tenant: %s', (sql) => {
  expect(left(sql)).toEqual([]);
});

test.each([
  ['select 1 from e_table where id = $1', ['e_table']],
  [
    'select * from e_table e left join s_table s on s.tenant_id = e.tenant_id where e.tenant_id = $1',
    ['s_table'],
  ],
  [
    'select e.*, (select 1 from k_table k where k.tenant_id = e.tenant_id) from e_table e where e.tenant_id = $1',
    ['k_table'],
  ],
  ['select * from e_table, s_table s where s.tenant_id = $1', ['e_table']],
  ['select 1 from e_table where tenant_id = $1 union all select 1 from s_table', ['s_table']],
  ['select id from k_table where id = $1 for update', ['k_table']],
  ['delete from e_table e using s_table s where s.tenant_id = e.tenant_id and s.tenant_id = $1', ['e_table']],
  ['select 1 from e_table where tenant_id = any ($1)', ['e_table']],
  [
    'update e_table e set a = (select a from k_table k where k.id = e.id) where e.tenant_id = $1',
    ['k_table'],
  ],
  ['select 1 where not exists (select from e_table e where e.id = $1)', ['e_table']],
  ['with w as (delete from e_table where id = $1 returning *) select * from w', ['e_table']],
  [
    'select * from (select a from e_table) x join (s_table s join k_table k on k.id = s.id and k.tenant_id = $1) on true',
    ['e_table', 's_table'],
  ],
])('a table lacks it: %s', (sql, tables) => {
  expect(left(sql).sort()).toEqual(tables);
});
