import { createHmac } from 'node:crypto';

/** drop: it is left out; mask: **** and its last 4 characters; hmac: hmac: and HMAC-SHA256 under the key, in hex. */
export type How = 'drop' | 'mask' | 'hmac';

/** A way into data such as `before.card`, to be dropped or treated otherwise. It leads through lists; `*` is any name. */
export type Redact = string | { path: string; how: How };

/** What is looked for in all of data. */
export type Pattern = 'card' | 'jwt' | 'privateKey' | 'authorization' | 'password';

export interface Redaction {
  rules: readonly Redact[];
  patterns: readonly Pattern[];
  /** Of hmac. */
  key?: string | undefined;
}

interface TextRule {
  form: RegExp;
  how: How;
  /** Answers the text itself where it is left alone. */
  replace(text: string, first: string): string;
}

/** Replaced wherever it stands within text. */
const TEXT: Partial<Record<Pattern, TextRule>> = {
  card: {
    form: /(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.])/g,
    how: 'mask',
    replace: (text) => (isCard(text) ? mask(text.replace(/[ -]/g, '')) : text),
  },
  jwt: { form: /(?<![\w.-])eyJ[\w-]+\.[\w-]+\.[\w-]*/g, how: 'drop', replace: () => DROPPED },
  privateKey: {
    form: /-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|$)/g,
    how: 'drop',
    replace: () => DROPPED,
  },
  authorization: {
    form: /\b(Bearer|Basic|Digest|Negotiate) +[\w.~+/=-]{8,}/gi,
    how: 'drop',
    replace: (_, scheme) => `${scheme} ${DROPPED}`,
  },
};

/** Names whose values are dropped. */
const NAMES: Partial<Record<Pattern, RegExp>> = {
  authorization: /^(?:proxy-)?authorization$/i,
  password: /(?:passw(?:or)?d|passphrase|pwd|secret)$/i,
};

const DROPPED = '[redacted]';
const UNREADABLE = '[unreadable]';
/** Where what was redacted is named: the path, and how. */
const MARKS = '_redacted';
const MAX_LEVELS = 64;
const MAX_CHARACTERS = 500_000;
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
 * that is no object becomes its member `value`; of data past half a million characters, its beginning stands for it.
 */
export function redactor({ rules, patterns, key }: Redaction): (data: unknown) => Record<string, unknown> {
  const root = stepsOf(rules);
  const texts = patterns.flatMap((pattern) => TEXT[pattern] ?? []);
  const names = patterns.flatMap((pattern) => NAMES[pattern] ?? []);
  return (data) => {
    const whole = isObject(data) && !Array.isArray(data) ? data : { value: data };
    /** What is named as redacted already: it is believed of what looks so, or is not there. */
    const marks = new Map(
      Object.entries(memberOf(whole, MARKS) ?? {}).filter((mark): mark is [string, How] => isHow(mark[1])),
    );
    const within: object[] = [];
    let characters = 0;
    const isLong = () => characters > MAX_CHARACTERS;

    /** undefined for what JSON leaves out. */
    function visit(value: unknown, name: string, path: string, steps: readonly Step[] | null): unknown {
      characters += 1;
      if (isLong()) return undefined;
      if (typeof value === 'string') return text(value, path, steps);
      if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value)))
        return String(value);
      if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
      if (!isObject(value)) return undefined;
      if (within.length === MAX_LEVELS || within.includes(value)) return UNREADABLE;
      within.push(value);
      const toJson = memberOf(value, 'toJSON');
      let copy: unknown;
      if (typeof toJson === 'function')
        copy = visit(
          answerOf(() => toJson.call(value, name)),
          name,
          path,
          steps,
        );
      else if (Array.isArray(value)) copy = list(value, path, steps);
      else copy = object(value, path, steps);
      within.pop();
      return copy;
    }

    function list(list: readonly unknown[], path: string, steps: readonly Step[] | null): unknown[] {
      const copy: unknown[] = [];
      for (let at = 0; at < list.length && !isLong(); at += 1) {
        const own = steps && [...steps, ...below(steps, String(at))];
        copy.push(member(list[at], String(at), path, own) ?? null);
      }
      return copy;
    }

    function object(object: object, path: string, steps: readonly Step[] | null): object {
      const copy: [string, unknown][] = [];
      for (const name of Object.keys(object)) {
        if (isLong()) break;
        if (name === MARKS && path === '') continue;
        characters += name.length;
        const value = member(memberOf(object, name), name, path, steps && below(steps, name));
        if (value !== undefined) copy.push([name, value]);
      }
      return Object.fromEntries(copy);
    }

    /** Steps are null within what is redacted as a whole. */
    function member(value: unknown, name: string, above: string, steps: readonly Step[] | null): unknown {
      if (value == null || steps === null) return visit(value, name, above, steps);
      const path = above === '' ? name : `${above}.${name}`;
      const was = marks.get(path);
      if (was && !looksRedacted(value)) marks.delete(path);
      const how =
        steps.find((step) => step.how)?.how ?? (names.some((each) => each.test(name)) ? 'drop' : undefined);
      if (!how || (was && isRedacted(value))) return visit(value, name, path, steps);
      marks.set(path, how);
      if (how === 'drop') return undefined;
      const copy = visit(value, name, path, null);
      const whole = typeof copy === 'string' ? copy : (JSON.stringify(copy) ?? '');
      return how === 'mask' ? mask(whole) : `hmac:${createHmac('sha256', key!).update(whole).digest('hex')}`;
    }

    function text(whole: string, path: string, steps: readonly Step[] | null): string {
      characters += whole.length;
      let left = isLong() ? whole.slice(0, MAX_TEXT) : whole;
      if (steps !== null)
        for (const { form, how, replace } of texts) {
          const before = left;
          left = before.replace(form, replace);
          if (left !== before) marks.set(path, how);
        }
      return left;
    }

    const copy = visit(whole, '', '', [root]);
    const read = isLong() ? truncated(JSON.stringify(copy)) : isObject(copy) ? copy : { value: copy };
    return marks.size > 0 ? { ...read, [MARKS]: Object.fromEntries(marks) } : read;
  };
}

function stepsOf(rules: readonly Redact[]): Step {
  const root: Step = { next: new Map() };
  for (const rule of rules) {
    const { path, how } = typeof rule === 'string' ? { path: rule, how: 'drop' as const } : rule;
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

/** What stands for data that is too long, of which this is the beginning. */
export const truncated = (text: string): Record<string, unknown> => ({
  _truncated: true,
  _text: text.slice(0, MAX_TEXT),
});

const below = (steps: readonly Step[], name: string): Step[] =>
  steps.flatMap(({ next }) => [next.get(name), next.get('*')].filter((step) => step !== undefined));

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const isHow = (value: unknown): value is How => ['drop', 'mask', 'hmac'].includes(value as How);

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

const mask = (text: string): string => `****${text.length > 4 ? text.slice(-4) : ''}`;

/** The check digit of ISO/IEC 7812-1, annex B (Luhn). */
function isCard(text: string): boolean {
  let sum = 0;
  const digits = text.replace(/[ -]/g, '');
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits.at(-1 - at));
    sum += at % 2 === 0 ? digit : digit < 5 ? 2 * digit : 2 * digit - 9;
  }
  return sum % 10 === 0;
}
