import { sql } from 'kysely';
import type { Config } from '../config/config.js';
import type { Database } from '../database/database.js';
import type { ReelService } from '../log/service.js';
import { millisecondsOf } from '../seal/sequence-batch.js';
import type { StoredProver } from '../seal/stored-prover.js';
import { BatchReader } from './batches.js';
import { Deliveries } from './deliveries.js';
import { Delivery } from './delivery.js';
import { Egress } from './egress/egress.js';
import { StreamRecords } from './records.js';
import { Senders } from './senders.js';
import { StreamService } from './service.js';
import { SecretKeeper } from './stream-secrets.js';

/** Streams whose lag is measured. */
const MOST_MEASURED = 1_000;

export interface Streams {
  readonly service: StreamService;
  /** Streams that are served, or wait for their turn. */
  readonly deliveries: Pick<Deliveries, 'length'>;
  /** How far the streams are behind that are to deliver, 1,000 of them at most. */
  lags(): ReturnType<typeof readLags>;
  start(): void;
  /** To be called when a tenant's entries were sealed. */
  onSealed(sealed: { tenantId: string }): void;
  close(): Promise<void>;
}

export interface StreamParts {
  readonly database: Database;
  readonly reel: ReelService;
  readonly prover: StoredProver;
  /** Entries of Reel's own were written. */
  readonly onRecorded: () => void;
  readonly onDelivered: (kind: string, entries: number) => void;
  readonly onFault: (error: unknown) => void;
}

/** Everything that delivers. */
export function openStreams(
  config: Pick<Config, 'env' | 'streamKeys' | 'streamAllow' | 'streamProxy' | 'streamSecrets'>,
  { database, reel, prover, onRecorded, onDelivered, onFault }: StreamParts,
): Streams {
  const egress = new Egress({
    allow: config.streamAllow,
    proxy: config.streamProxy,
    isDevelopment: config.env === 'development',
  });
  const secrets = new SecretKeeper(config.streamKeys, config.streamSecrets);
  const senders = new Senders(egress, secrets);
  const reader = new BatchReader(database, prover);
  const records = new StreamRecords(reel);
  const delivery = new Delivery({ database, reader, senders, records, onRecorded, onDelivered });
  const deliveries = new Deliveries({ database, locks: database.locks(), delivery, onFault });
  const service = new StreamService({
    database,
    reader,
    senders,
    records,
    secrets,
    egress,
    onChanged: (tenantId) => {
      onRecorded();
      deliveries.wake(tenantId, true);
    },
  });
  return {
    service,
    deliveries,
    lags: () => readLags(database),
    start: () => deliveries.start(),
    onSealed: ({ tenantId }) => deliveries.wake(tenantId),
    close: async () => {
      await deliveries.stop();
      senders.close();
    },
  };
}

interface LagRow {
  [column: string]: unknown;
  id: string;
  kind: string;
  state: string;
  position: string;
  last: string | null;
  oldest: string | null;
  error: string | null;
}

/** `error`: a status or a word of few; null where the last batch was taken. */
async function readLags(database: Pick<Database, 'system'>) {
  const rows = await database.system<LagRow>(
    sql`select id, kind, state, position, last, oldest, error from reel_lagging_streams(${MOST_MEASURED})`,
  );
  return rows.map(({ id, kind, state, position, last, oldest, error }) => ({
    stream: id,
    kind,
    entries: Math.max(0, Number(last ?? 0) - Number(position)),
    seconds: oldest === null ? 0 : Math.max(0, (Date.now() - millisecondsOf(oldest)) / 1_000),
    isFailing: state === 'FAILING',
    error,
  }));
}
