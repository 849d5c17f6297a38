import type { Batch, Store, Waiting } from './store.js';

export interface SenderOptions {
  /** The server's origin, or the path below which Reel answers there. */
  url: string;
  token: string | (() => string | Promise<string>);
  fetch: typeof fetch;
  /** How long a request may take, in milliseconds. */
  timeoutMs: number;
  /** Some entries wait no longer, of which so many are stored. */
  settled(stored: number): void;
  /** The entry is refused for good. */
  refused(entry: Waiting, reason: string): void;
  warn(message: string): void;
}

export interface Sender {
  /** There is something to send: soon, or at once, which ends gathering and backing off. */
  wake(isUrgent?: boolean): void;
  /** By how many more, or less, it keeps the process alive for. */
  hold(more: number): void;
  close(): void;
}

/** What the server said of an entry. */
interface Result {
  status: number;
  entry?: { id: string; created_at: string };
  detail?: unknown;
}

const MOST_ENTRIES = 500;
/** Entries that come one soon after the other go together. */
const GATHER_MS = 20;
const [FIRST_BACK_OFF_MS, LONGEST_BACK_OFF_MS] = [1_000, 60_000];
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/** Sends what is in the store, batch after batch, one at a time, in the order it was taken. */
export function createSender(store: Store, options: SenderOptions): Sender {
  const endpoint = new URL(
    'api/v1/reel/logs/batch',
    options.url.endsWith('/') ? options.url : `${options.url}/`,
  );
  let [failures, most, holds, isSending, isClosed] = [0, MOST_ENTRIES, 0, false, false];
  let timer: NodeJS.Timeout | undefined;
  let request: AbortController | undefined;

  function schedule(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(run, ms);
    hold(0);
  }

  function hold(more: number): void {
    holds += more;
    if (holds > 0) timer?.ref();
    else timer?.unref();
  }

  /** Until nothing waits, or the server has to be tried later. */
  async function run(): Promise<void> {
    timer = undefined;
    isSending = true;
    let batch: Batch | null = null;
    try {
      for (batch = store.next(most); batch; batch = store.next(most)) {
        const results = await post(batch.entries);
        if (isClosed) return;
        if (results) settle(batch, results);
        else batch.giveBack();
        failures = 0;
      }
    } catch (error) {
      if (isClosed) return;
      batch?.giveBack();
      // fetch says why only in the cause.
      const { message, cause, retryAfterMs = 0 } = error as Error & { cause?: Error; retryAfterMs?: number };
      // Said once, until something is sent again.
      if (failures === 0) options.warn(`entries wait to be sent: ${message} ${cause ?? ''}`);
      const backOff = Math.min(FIRST_BACK_OFF_MS * 2 ** failures, LONGEST_BACK_OFF_MS);
      failures += 1;
      schedule(retryAfterMs + backOff * (0.5 + Math.random() / 2));
    }
    isSending = false;
  }

  /**
   * What became of each entry; null where they have to be fewer: a half at a time finds out which of them is too large.
   * Errors: those of fetch and of the token's function, and one that may have retryAfterMs.
   */
  async function post(entries: readonly Waiting[]): Promise<Result[] | null> {
    const { token, timeoutMs } = options;
    const credential = (typeof token === 'function' ? await token() : token).trim();
    // fetch would say what it is.
    if (/[^!-~]/.test(credential)) throw new Error('token: expected visible ASCII');
    const aborter = new AbortController();
    request = aborter;
    const late = setTimeout(() => aborter.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    try {
      const response = await options.fetch(endpoint, {
        method: 'POST',
        headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/x-ndjson' },
        body: entries.map(({ payload }) => payload).join('\n'),
        redirect: 'error',
        signal: aborter.signal,
      });
      const [{ status, headers }, text] = [response, await response.text()];
      if (status === 200) return resultsOf(text, entries.length);
      const reason = `${endpoint} answered ${status} ${text.slice(0, 200)}`;
      if (status !== 413) throw Object.assign(new Error(reason), { retryAfterMs: retryAfterMs(headers) });
      most = Math.ceil(entries.length / 2);
      return entries.length === 1 ? [{ status, detail: reason }] : null;
    } finally {
      clearTimeout(late);
    }
  }

  /** What the server cannot store at the moment goes to the end of the line; an error where that is all of them. */
  function settle(batch: Batch, results: readonly Result[]): void {
    const { entries } = batch;
    const again = entries.filter((_, at) => isPassing(results[at]!));
    if (again.length === entries.length) throw new Error(textOf(results[0]!.detail));
    for (const { record, waiter } of again) store.append(record, waiter);
    let stored = 0;
    for (const [at, waiting] of entries.entries()) {
      const result = results[at]!;
      if (result.entry) {
        stored += 1;
        waiting.waiter?.resolve({ id: result.entry.id, createdAt: result.entry.created_at });
      } else if (!isPassing(result)) options.refused(waiting, textOf(result.detail));
    }
    batch.settle();
    most = Math.min(most * 2, MOST_ENTRIES);
    options.settled(stored);
  }

  return {
    wake(isUrgent) {
      if (!isSending && (isUrgent || !timer)) schedule(isUrgent || holds > 0 ? 0 : GATHER_MS);
    },
    hold,
    close() {
      isClosed = true;
      clearTimeout(timer);
      request?.abort();
    },
  };
}

/** Too late, too many, or a fault of the server's. */
const isPassing = ({ status }: Result): boolean => status >= 500 || [408, 429].includes(status);

/** Another server than Reel may answer 200, too. */
function resultsOf(text: string, count: number): Result[] {
  const { results } = JSON.parse(text) as { results?: Result[] };
  if (results?.length === count) return results;
  throw new Error(`expected ${count} results, got ${text.slice(0, 200)}`);
}

/** RFC 9110, section 10.2.3: seconds, or a date, which is compared with the server's own clock. */
function retryAfterMs(headers: Headers): number {
  const value = headers.get('retry-after') ?? '';
  const dates = () => Date.parse(value) - Date.parse(headers.get('date') ?? '');
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : dates();
  return Math.min(Math.max(0, ms || 0), LONGEST_RETRY_AFTER_MS);
}

/** The faults of an entry, or why it is refused. */
const textOf = (detail: unknown): string =>
  Array.isArray(detail) ? detail.map(({ msg }) => msg).join('; ') : String(detail);
