import { AsyncLocalStorage } from 'node:async_hooks';

const SLICE_MS = 10;

/** On whose account work is done: a tenant's id, or a caller's name where its tenant is not known. */
interface Account {
  key: string;
}

const accounts = new AsyncLocalStorage<Account>();
/** Of work that was begun on nobody's account. */
const NOBODY = '';

/** Runs work on an account of its own, which is nobody's until `chargeTo` names it. */
export const onAccount = <T>(account: Account, work: () => T): T => accounts.run(account, work);

/** Whose account the work that runs is on from now on. */
export function chargeTo(key: string): void {
  const account = accounts.getStore();
  if (account) account.key = key;
}

interface Line {
  /** The time that its pieces took, in milliseconds; one that comes anew, or has waited for none, starts where others are. */
  used: number;
  readonly waiting: (() => void)[];
}

const lines = new Map<string, Line>();
/** Lines that are kept though nothing waits in them, for what they have used. */
const KEPT_LINES = 1_000;
let inLine = 0;
/** Whether slices are given now or in the next turn. */
let isGiving = false;
/** What the line had used that was served last. */
let reached = 0;
/** Of the turn of the event loop; past for what runs outside of a slice, such as what an answer of the database starts. */
let sliceEnd = Number.NEGATIVE_INFINITY;

/** Of those that wait, the line that has used least. */
function nextLine(): Line | undefined {
  let least: Line | undefined;
  for (const [key, line] of lines) {
    if (line.waiting.length > 0) {
      if (!least || line.used < least.used) least = line;
    } else if (lines.size > KEPT_LINES && line.used <= reached) lines.delete(key);
  }
  return least;
}

/** In each turn of the event loop: those that wait, one after the other, until a slice is used up. */
function giveSlices(): void {
  sliceEnd = performance.now() + SLICE_MS;
  let served: Line | undefined;
  let since = 0;
  const give = () => {
    if (served) served.used += performance.now() - since;
    served = isSliceUsed() ? undefined : nextLine();
    if (!served) {
      isGiving = inLine > 0;
      if (isGiving) setImmediate(giveSlices);
      return;
    }
    reached = Math.max(reached, served.used);
    since = performance.now();
    inLine -= 1;
    served.waiting.shift()!();
    // What was resumed runs as a microtask, and ends before the next tick.
    queueMicrotask(() => process.nextTick(give));
  };
  give();
}

/**
 * To be awaited before work that holds the event loop for some milliseconds. The account is served first that has used
 * least of the loop's time, so one with little to do waits for hardly more than the piece under way, however much others
 * have to do; and between two turns of the loop no more is done than a slice, so that connections are accepted and answers
 * read meanwhile.
 */
export const takeTurn = (key = accounts.getStore()?.key ?? NOBODY): Promise<void> =>
  new Promise((resume) => {
    const line = lines.get(key) ?? { used: reached, waiting: [] };
    lines.set(key, line);
    if (line.waiting.length === 0) line.used = Math.max(line.used, reached);
    line.waiting.push(resume);
    inLine += 1;
    if (!isGiving) setImmediate(giveSlices);
    isGiving = true;
  });

/** Whether work that runs should let others have their turn. */
export const isSliceUsed = (): boolean => performance.now() >= sliceEnd;

/** To be awaited between two pieces of long work: lets others have their turn once the slice is used up. */
export async function passTurn(): Promise<void> {
  if (isSliceUsed()) await takeTurn();
}
