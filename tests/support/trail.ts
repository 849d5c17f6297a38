import { generateKeyPairSync } from 'node:crypto';
import { sql } from 'kysely';
import { connect } from '../../src/database/connect.js';
import type { Database } from '../../src/database/database.js';
import { LogReader } from '../../src/log/read/reader.js';
import { ReelService } from '../../src/log/service.js';
import { Writer, type WriterBounds } from '../../src/log/write/writer.js';
import { signerOf } from '../../src/seal/note.js';
import { Sealer } from '../../src/seal/sealer.js';
import { type Sealed, Sequencer } from '../../src/seal/sequencer.js';
import { createDatabase, type TestDatabase } from './postgres.js';

export const SIGNER = signerOf(
  'reel.local',
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
);

/** The core without HTTP: service, writer, reader and a sequencer that runs only on demand. */
export interface Trail {
  own: TestDatabase;
  database: Database;
  service: ReelService;
  writer: Writer;
  reader: LogReader;
  sequencer: Sequencer;
  sealed: Sealed[];
  close(): Promise<void>;
}

export async function openTrail(bounds?: WriterBounds): Promise<Trail> {
  const own = await createDatabase();
  const database = await connect(own.runtimeUrl);
  // What these tests ask is whether all is found, not how soon.
  const reader = new LogReader(database, undefined, { searchMs: 60_000 });
  const writer = new Writer(
    {
      write: (tenantIds, work) => database.write(tenantIds, work),
      find: (tenantId, ids) => reader.byIds({ tenantId, clients: null }, ids),
      ensureMonth: async (createdAt) =>
        void (await database.system(sql`select reel_ensure_month(${createdAt}::timestamptz)`)),
    },
    undefined,
    bounds,
  );
  const sealed: Sealed[] = [];
  const sequencer = new Sequencer(database, new Sealer(SIGNER), (each) => sealed.push(each));
  return {
    own,
    database,
    service: new ReelService(writer),
    writer,
    reader,
    sequencer,
    sealed,
    close: async () => {
      await writer.close();
      await sequencer.stop();
      await database.close();
      await own.drop();
    },
  };
}
