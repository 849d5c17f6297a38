import { createHmac } from 'node:crypto';

/** drop: it is left out; mask: **** and its last 4 characters; hmac: hmac: and HMAC-SHA256 under the key, in hex. */
export type How = 'drop' | 'mask' | 'hmac';

/** A way into data such as `before.card`, to be dropped or treated otherwise. It leads through lists; `*` is any name. */
export type Redact = string | { path: string; how: How };

/** What is looked for in all of data: text that is replaced, or names whose values are dropped. */
export type Pattern =
  | {
      /** With the flag g. */
      text: RegExp;
      /** What is said of it in `_redacted`. */
      how: 'drop' | 'mask';
      /** Answers the text itself where it is left alone. */
      replace(text: string, ...groups: string[]): string;
    }
  | { name: RegExp };

export interface Redaction {
  rules: readonly Redact[];
  patterns: readonly Pattern[];
  /** Of hmac. */
  key?: string | undefined;
  /** Past which data is cut. */
  maxCharacters?: number;
}

/** Stands in text for what is left out of it. */
export const DROPPED = '[redacted]';
const UNREADABLE = '[unreadable]';
/** Where what was redacted is named: the path, and how. */
const MARKS = '_redacted';
const MAX_LEVELS = 64;
/** Twice as many as the server keeps; as JSON they take less than 1 MiB, whatever they are. */
const MAX_CHARACTERS = 131_072;
/** Of a path in `_redacted`. */
const MAX_PATH = 200;
/** That a value counts for at least. */
const FEW = 8;
/** Of what stands for it then. */
const MAX_TEXT = 32_768;

/** What the rules say of the names below a place. */
interface Step {
  how?: How;
  next: Map<string, Step>;
}

/**
 * Answers what makes a copy of data as JSON writes it, with what the rules and patterns say redacted, and named in
 * `_redacted`. A copy is copied as it is. What JSON has no form for becomes text: bigints, cycles, levels past 64. Data
 * that is no object becomes its member `value`; for data past 131,072 characters, or as many as are named, stands what it begins with.
 */
export function redactor({
  rules,
  patterns,
  key,
  maxCharacters = MAX_CHARACTERS,
}: Redaction): (data: unknown) => Record<string, unknown> {
  const root = stepsOf(rules, key);
  return (data) => {
    const whole = isObject(data) && !Array.isArray(data) ? data : { value: data };
    /** What is named as redacted already: it is believed of what looks so, or is not there. */
    const marks = new Map<string, How>();
    const within: object[] = [];
    let characters = 0;
    const isLong = () => characters > maxCharacters;
    const mark = (path: string, how: How) => {
      characters += path.length + FEW;
      if (!isLong()) marks.set(path, how);
    };
    for (const [path, how] of Object.entries(memberOf(whole, MARKS) ?? {})) if (isHow(how)) mark(path, how);

    /** undefined for what JSON leaves out. */
    function visit(value: unknown, name: string, path: string, steps: readonly Step[] | null): unknown {
      characters += FEW;
      if (isLong()) return undefined;
      if (typeof value === 'string') return text(value, path, steps);
      if (typeof value === 'number' || typeof value === 'bigint')
        return Number.isFinite(value) ? value : String(value);
      if (typeof value === 'boolean' || value === null) return value;
      if (!isObject(value)) return undefined;
      if (within.length === MAX_LEVELS || within.includes(value)) return UNREADABLE;
      within.push(value);
      const toJson = memberOf(value, 'toJSON');
      const copy =
        typeof toJson === 'function'
          ? visit(
              answerOf(() => toJson.call(value, name)),
              name,
              path,
              steps,
            )
          : members(value, path, steps);
      within.pop();
      return copy;
    }

    function members(value: object, above: string, steps: readonly Step[] | null): object {
      const isList = Array.isArray(value);
      const copy: [string, unknown][] = [];
      for (const name of Object.keys(isList ? Array.from(value) : value)) {
        if (isLong()) break;
        if (name === MARKS && above === '') continue;
        characters += name.length;
        const path = (above === '' ? name : `${above}.${name}`).slice(0, MAX_PATH);
        // A way leads through lists.
        const next = steps && [...(isList ? steps : []), ...below(steps, name)];
        const each = member(memberOf(value, name), name, path, next);
        if (isList || each !== undefined) copy.push([name, each ?? null]);
      }
      return isList ? copy.map(([, each]) => each) : Object.fromEntries(copy);
    }

    /** Steps are null within what is redacted as a whole. */
    function member(value: unknown, name: string, path: string, steps: readonly Step[] | null): unknown {
      if (value == null || !steps) return visit(value, name, path, steps);
      const was = marks.get(path);
      if (was && !looksRedacted(value)) marks.delete(path);
      const isSecret = patterns.some((pattern) => 'name' in pattern && pattern.name.test(name));
      const how = steps.find((step) => step.how)?.how ?? (isSecret && 'drop');
      if (!how || (was && isRedacted(value))) return visit(value, name, path, steps);
      mark(path, how);
      if (how === 'drop') return undefined;
      const copy = visit(value, name, path, null);
      const whole = typeof copy === 'string' ? copy : (JSON.stringify(copy) ?? '');
      return how === 'mask' ? mask(whole) : `hmac:${createHmac('sha256', key!).update(whole).digest('hex')}`;
    }

    function text(whole: string, path: string, steps: readonly Step[] | null): string {
      characters += whole.length;
      let left = isLong() ? whole.slice(0, MAX_TEXT) : whole;
      for (const pattern of steps ? patterns : []) {
        if (!('text' in pattern)) continue;
        const before = left;
        left = before.replace(pattern.text, pattern.replace);
        if (left !== before) mark(path, pattern.how);
      }
      return left;
    }

    const copy = visit(whole, '', '', [root]);
    const read = isLong()
      ? { _truncated: true, _text: JSON.stringify(copy).slice(0, MAX_TEXT) }
      : isObject(copy)
        ? copy
        : { value: copy };
    return marks.size > 0 ? { ...read, [MARKS]: Object.fromEntries(marks) } : read;
  };
}

/** Errors: a TypeError where a rule needs a key. */
function stepsOf(rules: readonly Redact[], key = ''): Step {
  const root: Step = { next: new Map() };
  for (const rule of rules) {
    const { path, how } = typeof rule === 'string' ? { path: rule, how: 'drop' as const } : rule;
    if (how === 'hmac' && Buffer.byteLength(key) < 32)
      throw new TypeError(`redactionKey: expected at least 32 bytes, got ${Buffer.byteLength(key)}`);
    let step = root;
    for (const name of path.split('.')) {
      const next = step.next.get(name) ?? { next: new Map() };
      step.next.set(name, next);
      step = next;
    }
    step.how = how;
  }
  return root;
}

const below = (steps: readonly Step[], name: string): Step[] =>
  steps.flatMap(({ next }) => [next.get(name), next.get('*')].filter((step) => step !== undefined));

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const isHow = (value: unknown): value is How => /^(?:drop|mask|hmac)$/.test(String(value));

/** As a whole. */
const isRedacted = (value: unknown): boolean =>
  typeof value === 'string' && /^(?:\*{4}.{0,4}|hmac:[0-9a-f]{64})$/s.test(value);

/** As a whole or within. */
const looksRedacted = (value: unknown): boolean =>
  isRedacted(value) || (typeof value === 'string' && /\*{4}|\[redacted\]/.test(value));

/** A member whose getter throws is named so, and keeps no record from being made. */
const memberOf = (object: object, name: string): unknown =>
  answerOf(() => (object as Record<string, unknown>)[name]);

function answerOf(call: () => unknown): unknown {
  try {
    return call();
  } catch {
    return UNREADABLE;
  }
}

/** Keeps the last 4 characters. */
export const mask = (text: string): string => `****${text.length > 4 ? text.slice(-4) : ''}`;
