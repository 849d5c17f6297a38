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
  /** There is something to send. */
  wake(): void;
  /** Does not gather or back off any longer. */
  hurry(): void;
  /** Keeps the process alive until letGo is called as often. */
  hold(): void;
  letGo(): void;
  close(): void;
}

/** What the server said of an entry. */
interface Result {
  status: number;
  entry?: { id: string; created_at: string };
  detail?: unknown;
}

/** A batch has to be sent again, and not before so many milliseconds. */
interface Failure {
  reason: string;
  retryAfterMs: number;
}

const MOST_ENTRIES = 500;
const LINE_FEED = Buffer.from('\n');
/** Entries that come one soon after the other go together. */
const GATHER_MS = 20;
const [FIRST_BACK_OFF_MS, LONGEST_BACK_OFF_MS] = [1_000, 60_000];
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/** Sends what is in the store, batch after batch, one at a time, in the order it was taken. */
export function createSender(store: Store, options: SenderOptions): Sender {
  const endpoint = new URL('api/v1/reel/logs/batch', options.url.replace(/\/*$/, '/'));
  let [failures, most, holds, isSending, isClosed] = [0, MOST_ENTRIES, 0, false, false];
  let timer: NodeJS.Timeout | undefined;
  let request: AbortController | undefined;

  function schedule(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(run, ms);
    if (holds === 0) timer.unref();
  }

  async function run(): Promise<void> {
    timer = undefined;
    isSending = true;
    const failure = await sendAll().catch(failureOf);
    isSending = false;
    if (isClosed) return;
    if (failure) {
      // Said once, until something is sent again.
      if (failures === 0) options.warn(`entries wait to be sent: ${failure.reason}`);
      const backOff = Math.min(FIRST_BACK_OFF_MS * 2 ** failures, LONGEST_BACK_OFF_MS);
      failures += 1;
      schedule(failure.retryAfterMs + backOff * (0.5 + Math.random() / 2));
    } else if (store.count > 0) schedule(0);
  }

  /** Until nothing waits, or the server has to be tried later. */
  async function sendAll(): Promise<Failure | null> {
    for (let batch = store.next(most); batch; batch = store.next(most)) {
      const answer = await post(batch.entries).catch(failureOf);
      if (isClosed) return null;
      const failure = Array.isArray(answer) ? settle(batch, answer) : answer;
      if (failure) {
        batch.giveBack();
        return failure;
      }
      failures = 0;
      // Too large at once: a half at a time finds out which of them is.
      if (answer === null) batch.giveBack();
    }
    return null;
  }

  /** What became of each entry; null where they have to be fewer. Errors: those of fetch, and of the token's function. */
  async function post(entries: readonly Waiting[]): Promise<Result[] | Failure | null> {
    const { token, timeoutMs } = options;
    const credential = typeof token === 'function' ? await token() : token;
    const aborter = new AbortController();
    request = aborter;
    const late = setTimeout(() => aborter.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    try {
      const response = await options.fetch(endpoint, {
        method: 'POST',
        headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/x-ndjson' },
        body: Buffer.concat(entries.flatMap(({ payload }) => [payload, LINE_FEED])),
        redirect: 'error',
        signal: aborter.signal,
      });
      const [{ status, headers }, text] = [response, await response.text()];
      if (status === 200) return resultsOf(text, entries.length);
      const reason = `${endpoint} answered ${status} ${text.slice(0, 200)}`;
      if (status !== 413) return { reason, retryAfterMs: retryAfterMs(headers) };
      most = Math.ceil(entries.length / 2);
      return entries.length === 1 ? [{ status, detail: reason }] : null;
    } finally {
      clearTimeout(late);
    }
  }

  /** What the server cannot store at the moment goes to the end of the line; a failure where that is all of them. */
  function settle(batch: Batch, results: readonly Result[]): Failure | null {
    const { entries } = batch;
    const again = entries.filter((_, at) => isPassing(results[at]!));
    if (again.length === entries.length) return failureOf({ message: textOf(results[0]!.detail) });
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
    return null;
  }

  return {
    wake() {
      if (!isSending && !timer) schedule(holds > 0 ? 0 : GATHER_MS);
    },
    hurry() {
      if (!isSending) schedule(0);
    },
    hold() {
      holds += 1;
      timer?.ref();
    },
    letGo() {
      holds -= 1;
      if (holds === 0) timer?.unref();
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      request?.abort();
    },
  };
}

/** Too early, too many, or a fault of the server's. */
const isPassing = ({ status }: Result): boolean => status >= 500 || [408, 425, 429].includes(status);

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

/** fetch says why only in its cause. */
function failureOf({
  message,
  cause,
}: {
  message: string;
  cause?: { code?: string; message?: string };
}): Failure {
  return { reason: cause?.code ?? cause?.message ?? message, retryAfterMs: 0 };
}

/** The faults of an entry, or why it is refused. */
const textOf = (detail: unknown): string =>
  Array.isArray(detail) ? detail.map(({ msg }) => msg).join('; ') : String(detail);
