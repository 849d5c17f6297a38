import type { Action, ActionMap, Actions, DataOf, OnFull } from './actions.js';
import type { EntryFields, WireEntry } from './entry.js';
import { ReelLogError, type ReelLogErrorCode } from './error.js';
import { type Prepared, preparation } from './prepare.js';
import { encodeRecord } from './record.js';
import type { Pattern } from './redact.js';
import { keepRejected, type Rejection } from './rejected.js';
import { createSender } from './sender.js';
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
  /** Resolves when the server has the entry on disk. Errors: ReelLogError. */
  log<N extends keyof M & string>(action: N, entry: EntryOf<M[N]>, options: { wait: true }): Promise<Stored>;
  logAndWait<N extends keyof M & string>(action: N, entry: EntryOf<M[N]>): Promise<Stored>;
  /** Resolves with true when all that was taken before is settled, with false where that takes longer; the default is 10,000 ms. */
  flush(timeoutMs?: number): Promise<boolean>;
  /** Flushes, for 5,000 ms unless told otherwise, and lets go of the spool. What is left is sent by the next client of the spool. */
  close(timeoutMs?: number): Promise<void>;
  stats(): ReelStats;
}

const MIB = 2 ** 20;
const END_MS = 5_000;
/** Between two warnings of one kind. */
const WARN_MS = 60_000;
/** Of the spool, in one file: what is sent leaves the disk by the file. */
const FILES = 16;

/** Errors: a TypeError where options are not as expected; nothing that happens later. */
export function createReelClient<const M extends ActionMap = ActionMap>(
  options: ReelClientOptions<M>,
): Reel<M> {
  const { url, token, spool = null, fsync = 'batch', timeoutMs = 30_000, fetch = globalThis.fetch } = options;
  const { spoolBytes = (spool ? 256 : 16) * MIB, blockMs = 1_000, flushOn = [] } = options;
  if (!/^https?:/.test(url)) throw new TypeError(`url: expected http:// or https://, got ${url}`);
  const prepareEntry = preparation(options);
  let isClosed = false;
  let [taken, sent, rejected, dropped] = [0, 0, 0, 0];
  const waiters = new Set<Waiter>();
  /** Called when entries wait no longer. */
  const watchers = new Set<() => void>();
  const warned = new Map<string, number>();

  const store = open();
  const sender = createSender(store, {
    url,
    token,
    timeoutMs,
    fetch,
    settled(stored) {
      sent += stored;
      for (const check of watchers) check();
    },
    refused({ payload, waiter }, reason) {
      const error = refusal('REFUSED', reason, JSON.parse(String(payload)));
      waiter?.reject(error);
    },
    warn: (message) => warn('sending', message),
  });

  function open(): Store {
    const segmentBytes = Math.min(spoolBytes / FILES, 16 * MIB);
    const more = {
      fsync,
      segmentBytes,
      found: () => sender.wake(),
      warn: (message: string) => warn('spool', message),
      lost(count: number) {
        dropped += count;
        warn('lost', `a file of the spool is damaged: ${count} entries are lost`);
        for (const check of watchers) check();
      },
    };
    let reason = 'no spool is set';
    try {
      if (spool) return openSpool({ path: spool, ...more });
    } catch (error) {
      reason = messageOf(error);
    }
    warn('memory', `entries are lost with the process, as they wait in memory: ${reason}`);
    return openSpool({ ...more, path: null, fsync: 'never' });
  }

  /** Once a minute for each kind. */
  function warn(kind: string, message: string): void {
    const now = performance.now();
    if (now < (warned.get(kind) ?? 0)) return;
    warned.set(kind, now + WARN_MS);
    const { warn = (text) => process.emitWarning(text, 'ReelWarning') } = options;
    attempt(() => warn(`reel: ${message}`));
  }

  /** What the host's functions throw is not the record's fault. */
  function attempt(call: () => void): void {
    try {
      call();
    } catch (error) {
      warn('attempt', messageOf(error));
    }
  }

  /** Counts and tells of an entry that is not taken, or not stored. */
  function refusal(code: ReelLogErrorCode, reason: string, entry: WireEntry): ReelLogError {
    const isWrong = code === 'INVALID' || code === 'REFUSED';
    if (isWrong) rejected += 1;
    else dropped += 1;
    warn(code, `${code} ${entry.action}: ${reason}`);
    const rejection = { code, reason, entry };
    if (isWrong && spool) attempt(() => keepRejected(spool, rejection));
    attempt(() => options.onRejected?.(rejection));
    return new ReelLogError(code, reason);
  }

  /** Errors: ReelLogError. */
  function prepare(action: string, entry: EntryFields): Prepared {
    let prepared: Prepared;
    try {
      prepared = prepareEntry(action, entry);
    } catch (error) {
      throw refusal('INVALID', messageOf(error), { action });
    }
    if (prepared.fault) throw refusal('INVALID', prepared.fault, prepared.wire);
    return prepared;
  }

  const onFull = ({ action }: Prepared): OnFull => action.onFull ?? options.onFull ?? 'refuse';
  const hasRoom = ({ bytes }: Prepared): boolean => store.bytes + bytes <= spoolBytes;

  /** Errors: ReelLogError. */
  function append(prepared: Prepared, waiter?: Waiter): void {
    const { payload, wire, bytes } = prepared;
    if (isClosed) throw refusal('CLOSED', 'the client was closed', wire);
    try {
      if (onFull(prepared) === 'drop-oldest' && !hasRoom(prepared) && bytes < spoolBytes) {
        const count = store.makeRoom(bytes, spoolBytes);
        dropped += count;
        warn('DROPPED', `${count} entries, as newer ones needed their room`);
      }
      if (!hasRoom(prepared)) throw refusal('FULL', `${store.bytes} bytes wait to be sent`, wire);
      store.append(encodeRecord(payload, Date.now()), waiter);
    } catch (error) {
      throw error instanceof ReelLogError ? error : refusal('UNWRITABLE', messageOf(error), wire);
    }
    taken += 1;
    sender.wake();
  }

  async function appendAndWait(action: string, entry: EntryFields): Promise<Stored> {
    const prepared = prepare(action, entry);
    if (onFull(prepared) === 'block' && !hasRoom(prepared)) await until(() => hasRoom(prepared), blockMs);
    let waiter: Waiter | undefined;
    sender.hold(1);
    try {
      return await new Promise((resolve, reject) => {
        waiter = { resolve, reject };
        append(prepared, waiter);
        waiters.add(waiter);
      });
    } finally {
      waiters.delete(waiter!);
      sender.hold(-1);
    }
  }

  function logAndWait(action: string, entry: EntryFields): Promise<Stored> {
    const stored = appendAndWait(action, entry);
    // Whoever does not wait for it after all must not end the process by it.
    stored.catch(() => {});
    return stored;
  }

  /** Whether it becomes so within the time. */
  function until(isSo: () => boolean, ms: number): Promise<boolean> {
    return new Promise((answer) => {
      const check = (isOver?: boolean) => {
        if (!isSo() && !isOver) return;
        clearTimeout(timer);
        watchers.delete(check);
        answer(isSo());
      };
      const timer = setTimeout(check, Math.max(0, ms), true);
      watchers.add(check);
      check();
    });
  }

  async function flush(timeoutMs = 10_000): Promise<boolean> {
    const before = taken;
    let isReady = false;
    sender.hold(1);
    store.ready.then(() => {
      isReady = true;
      sender.wake(true);
      for (const check of watchers) check();
    });
    const isFlushed = await until(() => isReady && store.count <= taken - before, timeoutMs);
    sender.hold(-1);
    return isFlushed;
  }

  async function close(timeoutMs = END_MS): Promise<void> {
    if (isClosed) return;
    isClosed = true;
    await flush(timeoutMs);
    sender.close();
    store.close();
    for (const { reject } of waiters) reject(new ReelLogError('CLOSED', 'the entry waits in the spool'));
  }

  for (const event of flushOn)
    process.once(event, async () => {
      if (event === 'beforeExit') return flush(END_MS);
      await close();
      // Nobody else ends the process, which this listener kept from ending by itself.
      if (process.listenerCount(event) === 0) process.kill(process.pid, event);
    });
  return {
    log(action: string, entry: EntryFields, options?: { wait?: boolean }) {
      if (options?.wait) return logAndWait(action, entry);
      try {
        append(prepare(action, entry));
        return true;
      } catch {
        return false;
      }
    },
    logAndWait,
    flush,
    close,
    stats() {
      const { count: spooled, oldest } = store;
      const oldestSeconds = Math.max(0, Date.now() - (oldest ?? Number.POSITIVE_INFINITY)) / 1_000;
      return { spooled, sent, rejected, dropped, oldestSeconds };
    },
  } as Reel<M>;
}

const messageOf = (error: unknown): string => (error as Error).message;
