/** Every code that may stand in `extensions.code` or choose a REST status. docs/errors.md lists them, held by a test. */
export const ERROR_STATUS = {
  BAD_USER_INPUT: 422,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  TOO_MANY_REQUESTS: 429,
  OVERLOADED: 503,
  UNAVAILABLE: 503,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

/** One fault of a request, in the shape of REST's 422 answers. */
export interface Fault {
  /** A stable word for the kind of fault, for example `missing`, `string_too_long`, `value_error`. */
  type: string;
  /** Where: query, path, header or body, then the field (and an index in a list). */
  loc: (string | number)[];
  msg: string;
  input?: unknown;
  /** More for programs, for example position, length, fault and suggestion of a query line's. */
  ctx?: Record<string, unknown>;
}

/** What is left of a bound on calls. */
export interface Allowance {
  /** A word for the bound. */
  name: string;
  limit: number;
  windowSeconds: number;
  remaining: number;
  /** Until the whole limit is there again. */
  resetSeconds: number;
}

export interface ErrorDetails {
  /** What GraphQL shows in `extensions` beside the code, for example position and length in a query line. */
  extensions?: Record<string, unknown>;
  /** Every fault of the request where there may be several. */
  faults?: Fault[];
  /** Seconds after which a retry makes sense; becomes Retry-After. */
  retryAfter?: number;
  /** Of TOO_MANY_REQUESTS. */
  allowance?: Allowance;
  /** For Reel's own log alone, which must hold no secret. */
  why?: string;
}

const BRAND = Symbol.for('reel.error');

/**
 * A deliberate error: its code and message may cross the wire. Anything else that is thrown is logged with an id
 * and answered with that id alone.
 */
export class ReelError extends Error {
  readonly code: ErrorCode;
  readonly extensions: Record<string, unknown>;
  readonly faults: Fault[];
  readonly retryAfter: number | undefined;
  readonly allowance: Allowance | undefined;
  readonly why: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = 'ReelError';
    this.code = code;
    this.extensions = details.extensions ?? {};
    this.faults = details.faults ?? [];
    this.retryAfter = details.retryAfter;
    this.allowance = details.allowance;
    this.why = details.why;
  }

  get status(): number {
    return ERROR_STATUS[this.code];
  }

  /** By which it is known in a process that has Reel twice. */
  get [BRAND](): true {
    return true;
  }
}

/** Whether an error is Reel's, of whatever copy of the package, and not one of the host's that looks alike. */
export const isReelError = (error: unknown): error is ReelError => error instanceof Error && BRAND in error;

/** Why a start, or a command, could not be done: one line for a person, that names what to mend. */
export class StartError extends Error {
  override readonly name: string = 'StartError';
}

/** `field` is the input's name as GraphQL spells it; REST's wire maps it. */
export const badInput = (field: string, expected: string, came: unknown): ReelError => {
  const msg = `${field}: expected ${expected}, got ${clip(came)}`;
  return new ReelError('BAD_USER_INPUT', msg, {
    faults: [{ type: 'value_error', loc: [field], msg, input: came }],
  });
};
/** `why` is logged and not answered. */
export const unauthenticated = (why?: string) =>
  new ReelError('UNAUTHENTICATED', 'Not authenticated', why === undefined ? {} : { why });
export const forbidden = (message: string) => new ReelError('FORBIDDEN', message);
export const conflict = (message: string) => new ReelError('CONFLICT', message);
export const tooManyRequests = (message: string, retryAfter: number, allowance?: Allowance) =>
  new ReelError('TOO_MANY_REQUESTS', message, { retryAfter, ...(allowance ? { allowance } : {}) });
/** `what` is too much at once, of one caller or tenant where it is said so. */
export const overloaded = (what = 'Too many entries are waiting to be written', retryAfter = 1) =>
  new ReelError('OVERLOADED', `${what}; try again shortly`, { retryAfter });
export const unavailable = (message: string) => new ReelError('UNAVAILABLE', message, { retryAfter: 2 });

const MAX_CHARACTERS = 200;

/** What came, as JSON, cut at 200 characters: no message may repeat more of an input. */
export function clip(came: unknown): string {
  const text = written(came);
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS - 1)}…` : text;
}

/** Whether a value takes no more than 200 characters as JSON. */
export const isShort = (value: unknown): boolean => written(value).length <= MAX_CHARACTERS;

/** The beginning of a value, whose text begins as the whole one's does: each of its members takes a character at least. */
function begun(value: unknown, room: { members: number }): unknown {
  if (typeof value === 'string') return value.slice(0, MAX_CHARACTERS + 1);
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value;
  const isList = Array.isArray(value);
  const [items, members]: [unknown[], [string, unknown][]] = [[], []];
  if (isList)
    for (let at = 0; at < value.length && room.members > 0; at += 1, room.members -= 1)
      items.push(begun(value[at], room));
  else
    for (const name in value) {
      if (!Object.hasOwn(value, name)) continue;
      if (room.members <= 0) break;
      room.members -= 1;
      members.push([
        name.slice(0, MAX_CHARACTERS + 1),
        begun((value as Record<string, unknown>)[name], room),
      ]);
    }
  return isList ? items : Object.fromEntries(members);
}

const MAX_STEPS = 40;
const MAX_STEP_CHARACTERS = 60;

/** A way into what came, for a fault's loc: long keys are cut, and of very many steps the last ones stand. */
export function clipWay(way: readonly (string | number)[]): (string | number)[] {
  const steps = way.length > MAX_STEPS ? ['…', ...way.slice(1 - MAX_STEPS)] : way;
  return steps.map((step) =>
    typeof step === 'string' && step.length > MAX_STEP_CHARACTERS
      ? `${step.slice(0, MAX_STEP_CHARACTERS - 1)}…`
      : step,
  );
}

/** A way as a message names it: `data.items.0.price`, at most 200 characters. */
export const wayText = (way: readonly (string | number)[]): string => unquoted(way.join('.'));

/** Text as clip shows it, but for the quotation marks. */
export const unquoted = (text: string): string => clip(text).replace(/^"|"$/g, '');

/** As JSON; of what is longer than a message shows, the beginning, since what came may be very long. */
function written(came: unknown): string {
  try {
    const shown = begun(came, { members: MAX_CHARACTERS });
    return JSON.stringify(shown) ?? String(shown);
  } catch {
    // Cyclic, a bigint, or nested more deeply than JSON.stringify goes.
    return typeof came === 'object' ? 'something that cannot be written as JSON' : String(came);
  }
}

/** What went wrong as one line for a person at a terminal; a fault that was not foreseen keeps its stack. */
export function oneLineFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const foreseen = error instanceof StartError || error.name === 'ConfigError' || 'code' in error;
  return foreseen ? (error.message.split('\n')[0] ?? error.name) : (error.stack ?? error.message);
}

/** Of one condition, a line in the log at most so often: a thousand calls may fail at once. */
const FAULT_LOG_MS = 10_000;

/** Tells the operator what Reel needs and does not get: the database, Mentor, the key set, the witness. */
export class FaultLog {
  private readonly conditions = new Map<string, { at: number; skipped: number }>();

  constructor(private readonly log: { warn(details: object, message: string): void }) {}

  /** `condition`: one of few. The log gets the error's code and message, and how many like it had no line. */
  report(condition: string, error: unknown): void {
    const now = performance.now();
    const known = this.conditions.get(condition);
    if (known && now - known.at < FAULT_LOG_MS) {
      known.skipped += 1;
      return;
    }
    this.conditions.set(condition, { at: now, skipped: 0 });
    const { code } = (error ?? {}) as { code?: string };
    this.log.warn({ code, reason: reasonOf(error), notLogged: known?.skipped ?? 0 }, condition);
  }
}

const MAX_REASON = 500;

/** Messages of an error and its causes: fetch says what happened in the cause alone. */
function reasonOf(error: unknown): string {
  const messages: string[] = [];
  for (let at = error; at instanceof Error && messages.length < 4; at = at.cause) messages.push(at.message);
  return messages.join(': ').slice(0, MAX_REASON);
}
