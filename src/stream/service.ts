import { sql } from 'kysely';
import { v7 } from 'uuid';
import type { Reader, Scope } from '../auth/scope.js';
import type { Execute } from '../database/execute.js';
import { badInput, conflict, ReelError } from '../errors.js';
import { checkSavedName, checkSavedQuery } from '../log/filter/saved-query.js';
import { lockStreams } from '../log/stream-lock.js';
import { parseInstant } from '../query-line/values.js';
import type { BatchReader } from './batches.js';
import type { Egress } from './egress/egress.js';
import { type CommonSettings, SECRET_SETTINGS } from './kinds/settings.js';
import { testEntry } from './marked-entry.js';
import type { StreamRecords } from './records.js';
import { kindOf, type Senders } from './senders.js';
import { SettingsCheck } from './settings-check.js';
import { shownStream } from './shown-stream.js';
import {
  afresh,
  inNewRun,
  insertStream,
  readLastSequence,
  readParked,
  readSizeBefore,
  readStreams,
  removeStream,
  retryParked,
  type StoredStream,
  type StreamDatabase,
  updateStream,
} from './store.js';
import {
  type CreateStreamInput,
  type ParkedEntry,
  type Stream,
  StreamState,
  type StreamTest,
  type UpdateStreamInput,
} from './stream.js';
import { NO_SECRETS, type SecretKeeper, type StreamSecrets, UnreadableSecrets } from './stream-secrets.js';

const MAX_STREAMS = 20;
const MAX_PARKED = 1_000;

export interface StreamServiceParts {
  readonly database: StreamDatabase;
  readonly reader: BatchReader;
  readonly senders: Senders;
  readonly records: StreamRecords;
  readonly secrets: SecretKeeper;
  readonly egress: Egress;
  /** To be called after a change. */
  readonly onChanged: (tenantId: string) => void;
}

/** What callers do with a tenant's streams. Errors: BAD_USER_INPUT, NOT_FOUND, CONFLICT. */
export class StreamService {
  private readonly settings: SettingsCheck;

  constructor(private readonly parts: StreamServiceParts) {
    this.settings = new SettingsCheck(parts);
  }

  async list({ tenantId }: Scope): Promise<Stream[]> {
    return (await this.read(tenantId)).map((stream) => shownStream(stream));
  }

  /** Null where there is none of that id. */
  async get({ tenantId }: Scope, id: string): Promise<Stream | null> {
    const [stream] = await this.read(tenantId, id);
    return stream ? shownStream(stream) : null;
  }

  async create({ tenantId }: Scope, by: Reader, input: CreateStreamInput): Promise<Stream> {
    const { database, records, secrets } = this.parts;
    secrets.checkKey();
    const kind = kindOf(input);
    const id = v7();
    const own = { tenantId, id };
    const checked = this.settings.check(own, kind, input.format, input.settings, input.secret ?? null, null);
    const name = checkSavedName(input.name);
    const query = checkSavedQuery(tenantId, input.query);
    const stream = await database.configure(tenantId, async (execute) => {
      await lockStreams(execute, tenantId);
      if ((await readStreams(execute, tenantId)).length >= MAX_STREAMS)
        throw conflict(`A tenant has at most ${MAX_STREAMS} streams`);
      const last = await readLastSequence(execute, tenantId);
      const after = input.after ?? last;
      if (after > last) throw badInput('after', `a sequence up to ${last}, which is the last one`, after);
      const { clientId = null } = input;
      const { settings, secret } = checked;
      const row = {
        ...own,
        name,
        kind: input.kind,
        format: input.format,
        query,
        clientId,
        settings,
        secret,
        position: after,
      };
      await insertStream(execute, row);
      await records.write(execute, 'created', row, by, {
        ...describe(row),
        after,
      });
      return this.one(execute, own);
    });
    return this.changed(stream);
  }

  update({ tenantId }: Scope, by: Reader, id: string, input: UpdateStreamInput): Promise<Stream> {
    const own = { tenantId, id };
    return this.change(own, async (execute, stream) => {
      const kind = kindOf(stream);
      const format = input.format ?? stream.format;
      const given = input.settings ?? {};
      const settings = { ...this.settings.ownOf(kind, stream), ...given };
      for (const [setting, value] of Object.entries(given)) if (value === null) delete settings[setting];
      const before = this.opened(stream);
      const isMoved = kind.destination.some((setting) => settings[setting] !== stream.settings[setting]);
      if (isMoved) this.settings.needSecretAgain(kind, stream, before, input, given);
      // A key that Reel made is nobody's else, wherever it signs.
      const isMade = kind.makeSecret?.(stream.settings as CommonSettings) != null;
      const known = isMoved ? { ...NO_SECRETS, secret: isMade ? before.secret : null } : before;
      const checked = this.settings.check(own, kind, format, settings, input.secret, known);
      const name = input.name == null ? stream.name : checkSavedName(input.name);
      const query = input.query == null ? stream.query : checkSavedQuery(tenantId, input.query);
      const clientId = input.clientId === undefined ? stream.clientId : input.clientId;
      const next = { ...stream, name, format, query, clientId, settings: checked.settings };
      // A batch under way must not have another content under the same id.
      const isOther =
        query !== stream.query ||
        clientId !== stream.clientId ||
        format !== stream.format ||
        ['proofs', 'compression', 'encoding'].some((each) => next.settings[each] !== stream.settings[each]);
      await updateStream(execute, own, [
        sql`name = ${name}`,
        sql`format = ${format}`,
        sql`query = ${query}`,
        sql`client_id = ${clientId}::uuid`,
        sql`settings = ${JSON.stringify(checked.settings)}::jsonb`,
        sql`secret = ${checked.secret}`,
        ...(isOther ? inNewRun(stream.position) : []),
        sql`retry_at = null`,
      ]);
      await this.parts.records.write(execute, 'changed', next, by, {
        before: describe(stream),
        after: describe(next),
        ...(input.secret === undefined ? {} : { secret: 'changed' }),
      });
    });
  }

  pause({ tenantId }: Scope, by: Reader, id: string): Promise<Stream> {
    return this.change({ tenantId, id }, async (execute, stream) => {
      if (stream.state === StreamState.PAUSED) return;
      await updateStream(execute, stream, [sql`state = 'PAUSED'`]);
      await this.parts.records.write(execute, 'paused', stream, by);
    });
  }

  /** Of one that is failing or disabled: tries it now. */
  resume({ tenantId }: Scope, by: Reader, id: string): Promise<Stream> {
    return this.change({ tenantId, id }, async (execute, stream) => {
      await updateStream(execute, stream, [sql`state = 'RUNNING'`, ...afresh()]);
      if (stream.state !== StreamState.RUNNING)
        await this.parts.records.write(execute, 'resumed', stream, by);
    });
  }

  replay(
    { tenantId }: Scope,
    by: Reader,
    id: string,
    { after, since }: { after?: number | null | undefined; since?: string | null | undefined },
  ): Promise<Stream> {
    if ((after == null) === (since == null))
      throw badInput('after', 'either after or since', after == null ? 'none' : 'both');
    return this.change({ tenantId, id }, async (execute, stream) => {
      const last = stream.lastSequence;
      if (after != null && after > last)
        throw badInput('after', `a sequence up to ${last}, which is the last one`, after);
      const at = since == null ? null : parseInstant(since);
      const position = after ?? (await readSizeBefore(execute, tenantId, at!));
      await updateStream(execute, stream, [...inNewRun(position), ...afresh()]);
      await this.parts.records.write(execute, 'replayed', stream, by, {
        after: position,
        ...(since ? { since } : {}),
      });
    });
  }

  /** Sends one marked entry, which is not in the trail, past whatever waits. */
  async test({ tenantId }: Scope, by: Reader, id: string): Promise<StreamTest> {
    const [stream] = await this.read(tenantId, id);
    if (!stream) throw notFound(id);
    const { senders, reader } = this.parts;
    const entry = testEntry(stream, by);
    const { position } = stream;
    const bounds = { previous: position, first: position + 1, last: position + 1 };
    const outcome = await senders.send(
      stream,
      {
        id: `${id}_test_${entry.id}`,
        streamId: id,
        tenantId,
        ...bounds,
        entries: [reader.format(entry, stream.format, { streamId: id })],
        checkpoint: null,
        about: { test: true },
      },
      AbortSignal.timeout(60_000),
    );
    const [refused] = outcome.kind === 'done' ? (outcome.refused ?? []) : [];
    return { delivered: outcome.kind === 'done' && !refused, answer: refused?.reason ?? outcome.answer };
  }

  /** All that is parked there. */
  retryParked({ tenantId }: Scope, id: string): Promise<Stream> {
    return this.change({ tenantId, id }, async (execute, stream) => {
      await retryParked(execute, stream);
      await updateStream(execute, stream, [sql`retry_at = null`]);
    });
  }

  async parked({ tenantId }: Scope, id: string, first: number): Promise<ParkedEntry[]> {
    if (first < 1 || first > MAX_PARKED) throw badInput('first', `an integer from 1 to ${MAX_PARKED}`, first);
    return this.parts.database.read(tenantId, async (execute) => {
      const [stream] = await readStreams(execute, tenantId, id);
      if (!stream) throw notFound(id);
      return readParked(execute, stream, { first });
    });
  }

  async remove({ tenantId }: Scope, by: Reader, id: string): Promise<boolean> {
    await this.parts.database.configure(tenantId, async (execute) => {
      await lockStreams(execute, tenantId);
      const [stream] = await readStreams(execute, tenantId, id);
      if (!stream) throw notFound(id);
      await removeStream(execute, tenantId, id);
      await this.parts.records.write(execute, 'removed', stream, by, { position: stream.position });
    });
    this.parts.onChanged(tenantId);
    return true;
  }

  private read(tenantId: string, id: string | null = null): Promise<StoredStream[]> {
    return this.parts.database.read(tenantId, (execute) => readStreams(execute, tenantId, id));
  }

  /** Errors: CONFLICT where the key is not there that they are encrypted under. */
  private opened({ tenantId, id, secret }: StoredStream): StreamSecrets {
    try {
      return this.parts.secrets.open(tenantId, id, secret);
    } catch (error) {
      if (!(error instanceof UnreadableSecrets)) throw error;
      throw conflict(`REEL_STREAM_KEY: ${error.message}; else remove the stream and make it anew`);
    }
  }

  private async one(
    execute: Execute,
    { tenantId, id }: Pick<StoredStream, 'tenantId' | 'id'>,
  ): Promise<StoredStream> {
    const [stream] = await readStreams(execute, tenantId, id);
    if (!stream) throw notFound(id);
    return stream;
  }

  private async change(
    own: Pick<StoredStream, 'tenantId' | 'id'>,
    work: (execute: Execute, stream: StoredStream) => Promise<void>,
  ): Promise<Stream> {
    const stream = await this.parts.database.configure(own.tenantId, async (execute) => {
      await lockStreams(execute, own.tenantId);
      await work(execute, await this.one(execute, own));
      return this.one(execute, own);
    });
    return this.changed(stream);
  }

  private changed(stream: StoredStream): Stream {
    this.parts.onChanged(stream.tenantId);
    return shownStream(stream);
  }
}

const notFound = (id: string) => new ReelError('NOT_FOUND', `No stream ${id}`);

/** What a record of the trail says of a stream. */
const describe = ({
  kind,
  format,
  query,
  clientId,
  settings,
}: Pick<StoredStream, 'kind' | 'format' | 'query' | 'clientId' | 'settings'>): Record<string, unknown> => ({
  kind,
  format,
  query,
  clientId,
  settings: Object.fromEntries(
    Object.entries(settings).filter(
      ([name]) => !SECRET_SETTINGS.has(name) && !/^(ca|clientCertificate)$/.test(name),
    ),
  ),
});
