import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Database } from '../src/database/connect.js';
import { createDatabase, type TestDatabase } from './postgres.js';

let own: TestDatabase;
let database: Database;

beforeAll(async () => {
  own = await createDatabase();
  database = await Database.connect(own.runtimeUrl);
});
afterAll(async () => {
  await database?.close();
  await own?.drop();
});

test('stores', async () => {
  expect(await database.isMigrated()).toBe(true);
  void randomUUID;
});
