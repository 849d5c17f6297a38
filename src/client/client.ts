import type { Action, ActionMap, Actions, DataOf, OnFull } from './actions.js';
import type { EntryFields, WireEntry } from './entry.js';
import { ReelLogError, type ReelLogErrorCode } from './error.js';
import { type Prepared, preparation } from './prepare.js';
import { encodeRecord } from './record.js';
import type { Pattern } from './redact.js';
import { keepRejected, type Rejection } from './rejected.js';
import { createSender, type Sender } from './sender.js';
import { openSpool } from './spool.js';
import type { Fsync, Store, Stored, Waiter } from './store.js';

export interface ReelClientOptions<M extends ActionMap = ActionMap> {
  /** The server's origin, such as `https://audit.example.com`, with the prefix that Reel is mounted under, if any. */
  url: string;
  /** The module's service credential; a function is asked before each batch. */
  token: string | (() => string | Promise<string>);
  /** Of defineActions. Without them, `module` names the module, and actions and data are not checked here. */
  actions?: Actions<M>;
  module?: string;
  /** A folder on a local disk, which it makes; without one, entries are kept in memory, and lost with the process. */
  spool?: string;
  /** What entries that wait may take; the default is 256 MiB in a spool, 16 MiB in memory. */
  spoolBytes?: number;
  /** When the spool reaches the disk itself, for when the machine loses power; the default is batch, within 50 ms. */
  fsync?: Fsync;
  /** The default is refuse. */
  onFull?: OnFull;
  /** How long an entry waits for room where onFull is block, in milliseconds; the default is 1,000. */
  blockMs?: number;
  /** Whether the server mends what it can of an entry that is out of its bounds; the default is true. */
  repair?: boolean;
  /** Looked for in the data of every action; the default is none. */
  redactPatterns?: readonly Pattern[];
  /** Of at least 32 bytes; needed where an action redacts by hmac. The server's is REEL_REDACTION_KEY. */
  redactionKey?: string;
  /** When to send what waits, for at most 5 s, before the process ends; the default is never. */
  flushOn?: readonly ('beforeExit' | 'SIGTERM' | 'SIGINT')[];
  /** Told of each entry that was not taken, or that the server refused for good. */
  onRejected?(rejection: Rejection): void;
  /** Told of what an operator should know; the default is process.emitWarning. */
  warn?(message: string): void;
  /** How long the server may take to answer, in milliseconds; the default is 30,000. */
  timeoutMs?: number;
  fetch?: typeof fetch;
}

export interface WaitOptions {
  /** The promise rejects when it is aborted; the entry is stored all the same. */
  signal?: AbortSignal;
}

export type EntryOf<A extends Action> = EntryFields & DataOf<A>;

export interface ReelStats {
  /** Entries that wait to be sent. */
  spooled: number;
  /** That the server has stored, of those sent by this client. */
  sent: number;
  /** That were not as their action is defined, or that the server refused for good. */
  rejected: number;
  /** That there was no room for, or that could not be written. */
  dropped: number;
  /** How long the oldest waits; 0 where none does. */
  oldestSeconds: number;
}

export interface Reel<M extends ActionMap = ActionMap> {
  /** Takes an entry. Answers false where it was not taken; why is told to onRejected. It never throws. */
  log<N extends keyof M & string>(action: N, entry: EntryOf<M[N]>, options?: { wait?: false }): boolean;
  /** Resolves when the server has the entry on disk. Errors: ReelLogError, or what the signal was aborted with. */
  log<N extends keyof M & string>(
    action: N,
    entry: EntryOf<M[N]>,
    options: WaitOptions & { wait: true },
  ): Promise<Stored>;
  logAndWait<N extends keyof M & string>(
    action: N,
    entry: EntryOf<M[N]>,
    options?: WaitOptions,
  ): Promise<Stored>;
  /** Resolves with true when all that was taken before is settled, with false where that takes longer; the default is 10,000 ms. */
  flush(timeoutMs?: number): Promise<boolean>;
  /** Flushes, for 5,000 ms unless told otherwise, and lets go of the spool. What is left is sent by the next client of the spool. */
  close(timeoutMs?: number): Promise<void>;
  stats(): ReelStats;
}

const MIB = 2 ** 20;
const END_MS = 5_000;
/** Between two warnings of one kind, and two tries to open a spool. */
const [WARN_MS, OPEN_MS] = [60_000, 1_000];
/** Of the spool, in one file: what is sent leaves the disk by the file. */
const FILES = 16;

/** Errors: a TypeError where options are not as expected; nothing that happens later. */
export function createReelClient<const M extends ActionMap = ActionMap>(
  options: ReelClientOptions<M>,
): Reel<M> {
  const { url, token, spool, fsync = 'batch', timeoutMs = 30_000, fetch = globalThis.fetch } = options;
  const { spoolBytes = (spool ? 256 : 16) * MIB, blockMs = 1_000, flushOn = [] } = options;
  if (!/^https?:/.test(url)) throw new TypeError(`url: expected http:// or https://, got ${url}`);
  const prepareEntry = preparation(options);
  let opened: { store: Store; sender: Sender } | null = null;
  let [isClosed, openAgainAt] = [false, 0];
  let [taken, sent, rejected, dropped] = [0, 0, 0, 0];
  /** Those whose entries were taken. */
  const pending = new Set<Waiter>();
  /** Called when something changes that somebody may wait for. */
  const watchers = new Set<() => void>();
  const warned = new Map<string, number>();
  const listeners: [string, () => void][] = [];

  /** Once a minute for each kind. */
  function warn(kind: string, message: string): void {
    const now = performance.now();
    if (now < (warned.get(kind) ?? 0)) return;
    warned.set(kind, now + WARN_MS);
    attempt(() => (options.warn ?? emitWarning)(`reel: ${message}`));
  }

  function changed(): void {
    for (const check of watchers) check();
  }

  /** Whether it becomes so within the time. */
  function until(isSo: () => boolean, ms: number): Promise<boolean> {
    return new Promise((answer) => {
      const check = () => isSo() && end();
      const end = () => {
        clearTimeout(timer);
        watchers.delete(check);
        answer(isSo());
      };
      const timer = setTimeout(end, Math.max(0, ms));
      watchers.add(check);
      check();
    });
  }

  /** Opens the spool, once a second at most where that fails. */
  function open(): typeof opened {
    if (opened || isClosed || performance.now() < openAgainAt) return opened;
    try {
      const segmentBytes = Math.min(spoolBytes / FILES, 16 * MIB);
      const store = openSpool({
        path: spool ?? null,
        fsync,
        segmentBytes,
        found: () => opened?.sender.wake(),
        warn: (message) => warn('spool', message),
      });
      const sender = createSender(store, {
        url,
        token,
        timeoutMs,
        fetch,
        settled(stored) {
          sent += stored;
          changed();
        },
        refused({ payload, waiter }, reason) {
          waiter?.reject(refuse('REFUSED', reason, JSON.parse(String(payload))));
        },
        warn: (message) => warn('sending', message),
      });
      opened = { store, sender };
    } catch (error) {
      openAgainAt = performance.now() + OPEN_MS;
      warn('open', `the spool cannot be opened, so that entries are not taken: ${messageOf(error)}`);
    }
    return opened;
  }

  function refuse(code: ReelLogErrorCode, reason: string, entry: WireEntry): ReelLogError {
    const isWrong = code === 'INVALID' || code === 'REFUSED';
    if (isWrong) rejected += 1;
    else dropped += 1;
    warn(code, `an entry of ${entry.action} ${isWrong ? 'is refused' : 'was not taken'}: ${reason}`);
    const rejection = { code, reason, entry };
    if (isWrong && spool) attempt(() => keepRejected(spool, rejection));
    attempt(() => options.onRejected?.(rejection));
    return new ReelLogError(code, reason);
  }

  function attempt(call: () => void): void {
    try {
      call();
    } catch (error) {
      process.emitWarning(error as Error);
    }
  }

  function prepare(action: string, entry: EntryFields): Prepared | ReelLogError {
    try {
      const prepared = prepareEntry(action, entry);
      return prepared.fault === null ? prepared : refuse('INVALID', prepared.fault, prepared.wire);
    } catch (error) {
      return refuse('INVALID', messageOf(error), { action });
    }
  }

  const onFull = ({ action }: Prepared): OnFull => action.onFull ?? options.onFull ?? 'refuse';
  const hasRoom = ({ bytes }: Prepared): boolean => (opened?.store.bytes ?? 0) + bytes <= spoolBytes;

  /** null where it is taken. */
  function append(prepared: Prepared, waiter?: Waiter): ReelLogError | null {
    const { payload, wire, bytes } = prepared;
    if (isClosed) return refuse('CLOSED', 'the client was closed', wire);
    const { store, sender } = open() ?? {};
    if (!store) return refuse('UNWRITABLE', 'the spool cannot be opened', wire);
    try {
      if (onFull(prepared) === 'drop-oldest' && !hasRoom(prepared)) {
        const count = store.makeRoom(bytes, spoolBytes);
        dropped += count;
        warn('dropped', `${count} entries were dropped, since newer ones needed their room`);
      }
      if (!hasRoom(prepared)) return refuse('FULL', `${store.bytes} bytes wait to be sent`, wire);
      store.append(encodeRecord(payload, Date.now()), waiter);
    } catch (error) {
      return refuse('UNWRITABLE', messageOf(error), wire);
    }
    taken += 1;
    sender?.wake();
    return null;
  }

  async function appendAndWait(action: string, entry: EntryFields, signal?: AbortSignal): Promise<Stored> {
    const prepared = prepare(action, entry);
    if (prepared instanceof ReelLogError) throw prepared;
    if (onFull(prepared) === 'block' && !hasRoom(prepared)) await until(() => hasRoom(prepared), blockMs);
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        if (!pending.delete(waiter)) return;
        signal?.removeEventListener('abort', abort);
        opened?.sender.letGo();
        settle();
      };
      const waiter: Waiter = {
        resolve: (stored) => end(() => resolve(stored)),
        reject: (error) => end(() => reject(error)),
      };
      const abort = () => waiter.reject(signal?.reason);
      const refusal = append(prepared, waiter);
      if (refusal) return reject(refusal);
      pending.add(waiter);
      opened?.sender.hold();
      signal?.addEventListener('abort', abort);
      if (signal?.aborted) abort();
    });
  }

  function logAndWait(action: string, entry: EntryFields, { signal }: WaitOptions = {}): Promise<Stored> {
    const stored = appendAndWait(action, entry, signal);
    // Whoever does not wait for it after all must not end the process by it.
    stored.catch(() => {});
    return stored;
  }

  async function flush(timeoutMs = 10_000): Promise<boolean> {
    const [before, end] = [taken, performance.now() + timeoutMs];
    const { store, sender } = open() ?? {};
    if (!store || !sender) return false;
    let isReady = false;
    store.ready.then(() => {
      isReady = true;
      changed();
    });
    sender.hold();
    if (await until(() => isReady, timeoutMs)) sender.hurry();
    const isFlushed = await until(() => isReady && store.count <= taken - before, end - performance.now());
    sender.letGo();
    return isFlushed;
  }

  async function close(timeoutMs = END_MS): Promise<void> {
    if (isClosed) return;
    isClosed = true;
    for (const [event, listener] of listeners) process.off(event, listener);
    await flush(timeoutMs);
    opened?.sender.close();
    opened?.store.close();
    for (const waiter of pending)
      waiter.reject(new ReelLogError('CLOSED', 'the client was closed; the entry waits in the spool'));
  }

  /** What was taken since is flushed before the process ends, which a signal then ends if nobody else listens to it. */
  function listen(event: string): void {
    let flushed = 0;
    const listener = async () => {
      if (event !== 'beforeExit') {
        await close();
        if (process.listenerCount(event) === 0) process.kill(process.pid, event);
      } else if (taken !== flushed) {
        flushed = taken;
        await flush(END_MS);
      }
    };
    listeners.push([event, listener]);
    process.on(event, listener);
  }

  if (!spool)
    warn('memory', 'no spool is set, so that entries are kept in memory, and lost with the process');
  open();
  for (const event of flushOn) listen(event);
  return {
    log(action: string, entry: EntryFields, { wait, signal }: WaitOptions & { wait?: boolean } = {}) {
      if (wait) return logAndWait(action, entry, { signal });
      const prepared = prepare(action, entry);
      return !(prepared instanceof ReelLogError) && append(prepared) === null;
    },
    logAndWait,
    flush,
    close,
    stats() {
      const { count: spooled = 0, oldest = null } = opened?.store ?? {};
      const oldestSeconds = oldest === null ? 0 : Math.max(0, (Date.now() - oldest) / 1_000);
      return { spooled, sent, rejected, dropped, oldestSeconds };
    },
  } as Reel<M>;
}

const emitWarning = (message: string) => process.emitWarning(message, 'ReelWarning');
const messageOf = (error: unknown): string => (error as Error).message;
