import { parseDataPath } from '../../../src/query-line/data-path.js';
import { FIELDS, type FieldName, isNegatable, isTimeField } from '../../../src/query-line/fields.js';
import { printQueryLine } from '../../../src/query-line/print.js';
import { ACTOR_TYPES, ORIGINS, OUTCOMES, SEVERITIES } from '../../../src/query-line/values.js';
import { fieldOf, headOf } from '../../../src/query-line/words.js';
import type { Vocabulary } from './vocabulary.js';

export interface Completion {
  kind: 'field' | 'value';
  label: string;
  /** Replaces the line's text between from and to. */
  text: string;
  from: number;
  to: number;
  /** For a field. */
  field?: FieldName;
  /** For a value: how many entries have it. */
  count?: number;
  /** For a person with a name: the e-mail address or id that finds them. For a registered action: what it says. */
  found?: string;
}

/** `written`: as it stands in the line where that is no quoted form of the key. */
interface Value {
  key: string | null;
  /** What a person calls it. */
  label?: string | null;
  /** What a registered action says. */
  about?: string | null;
  count?: number;
  written?: string;
}

/** `shown` and `written`: what stands before the value in the list, and in the line. */
const valueCompletion = (
  { key, label, about, count, written: asWritten }: Value,
  { shown, written, from, to }: { shown: string; written: string; from: number; to: number },
): Completion => ({
  kind: 'value',
  label: `${shown}${label ?? key}`,
  text: `${written}${asWritten ?? quotedIfNeeded(key!)}`,
  from,
  to,
  ...(count !== undefined && { count }),
  ...(label && label !== key ? { found: key! } : about ? { found: about } : {}),
});

const MAX_COMPLETIONS = 12;
const TIMES = ['-1h', '-24h', '-7d', '-4w'];

/** What the term at the caret can be completed to: fields, operators, and values that occur in this tenant. */
export function completionsAt(line: string, caret: number, vocabulary: Vocabulary | null): Completion[] {
  const from = termStart(line, caret);
  const to = caret + (/^[^\s"]*/.exec(line.slice(caret))?.[0].length ?? 0);
  const typed = line.slice(from, caret);
  const head = headOf(typed);
  if (head) {
    const field = fieldOf(head.name);
    const value = typed.slice(head.length);
    // Values are separated by commas; the last one is completed.
    const used = value.split(',').slice(0, -1);
    const at = caret - (value.split(',').at(-1) ?? '').length;
    const shown = typed.slice(0, head.length).toLowerCase();
    return matching(valuesOf(field, vocabulary), line.slice(at, caret), used).map((found) =>
      valueCompletion(found, { shown, written: '', from: at, to }),
    );
  }
  if (typed.includes('"')) return [];
  const minus = typed.startsWith('-') ? '-' : '';
  const word = typed.slice(minus.length).toLowerCase();
  const others = wordsOf(`${line.slice(0, from)} ${line.slice(to)}`);
  const fieldCompletion = (field: FieldName, text: string): Completion => ({
    kind: 'field',
    label: minus + text,
    text: minus + text,
    from,
    to,
    field,
  });
  if (/^data\./.test(word)) {
    const path = typed.slice(minus.length + 'data.'.length);
    const deeper = (vocabulary?.paths ?? [])
      .filter((each) => each !== path && each.toLowerCase().includes(path.toLowerCase()))
      .slice(0, MAX_COMPLETIONS)
      .map((each) => fieldCompletion('data', `data.${each}`));
    const operators = parseDataPath(path) === null ? [] : [':', ':*', '>', '>=', '<', '<='];
    return [...deeper, ...operators.map((operator) => fieldCompletion('data', `data.${path}${operator}`))];
  }
  const fields = FIELDS.filter((field) => field.startsWith(word) && (!minus || isNegatable(field)));
  const wholeTerms = (field: FieldName): Completion[] =>
    word === ''
      ? []
      : agreeingFirst(matching(valuesOf(field, vocabulary), word, []), others).map((found) =>
          valueCompletion(found, { shown: `${minus}${field}:`, written: `${minus}${field}:`, from, to }),
        );
  return [
    ...fields.flatMap((field) => headsOf(field).map((text) => fieldCompletion(field, text))),
    ...(['module', 'action', 'severity', 'outcome', 'actor', 'resource'] as const).flatMap(wholeTerms),
  ].slice(0, word === '' ? FIELDS.length + 1 : MAX_COMPLETIONS);
}

/** What a term of a field can begin with. */
function headsOf(field: FieldName): string[] {
  if (field === 'severity') return ['severity:', 'severity>='];
  return [field === 'data' ? 'data.' : `${field}:`];
}

/** A text as a value of the query line. */
const quotedIfNeeded = (value: string): string =>
  printQueryLine([
    { position: 0, length: 0, field: 'actor', negated: false, op: ':', values: [{ is: value }] },
  ]).slice('actor:'.length);

const lowerCase = (words: readonly string[]): Value[] =>
  words.map((key) => ({ key: key.toLowerCase(), written: key.toLowerCase() }));

const severitiesOf = (vocabulary: Vocabulary | null): Value[] =>
  [...SEVERITIES].reverse().map((key) => vocabulary?.severities.find((each) => each.key === key) ?? { key });

function valuesOf(field: FieldName | null, vocabulary: Vocabulary | null): readonly Value[] {
  if (field === null) return [];
  if (field === 'module') return vocabulary?.modules ?? [];
  if (field === 'action') return withPrefixes(actionsOf(vocabulary));
  if (field === 'severity') return severitiesOf(vocabulary);
  if (field === 'outcome') return lowerCase(OUTCOMES);
  if (field === 'origin') return lowerCase(ORIGINS);
  if (field === 'type') return lowerCase(ACTOR_TYPES);
  if (field === 'actor') return [...(vocabulary?.actors ?? []), { key: 'none', written: 'none' }];
  if (field === 'client') return [...(vocabulary?.clients ?? []), { key: 'none', written: 'none' }];
  if (field === 'resource')
    return (vocabulary?.resourceTypes ?? []).map(({ key, count }) => ({
      key,
      count,
      ...(key?.includes('/') && { written: `"${key}"` }),
    }));
  return isTimeField(field) ? TIMES.map((key) => ({ key })) : [];
}

/** Those that occur, and those that are registered, with what they say where all that register one say the same. */
function actionsOf(vocabulary: Vocabulary | null): readonly Value[] {
  const { actions = [], registered = [] } = vocabulary ?? {};
  const said = new Map<string, string | null>();
  for (const { action, description } of registered) {
    const isOther = said.has(action) && said.get(action) !== description;
    said.set(action, isOther ? null : description);
  }
  const occurring = new Set(actions.map(({ key }) => key));
  return [
    ...actions.map((value) => ({ ...value, about: said.get(value.key ?? '') ?? null })),
    ...[...said].flatMap(([key, about]) => (occurring.has(key) ? [] : [{ key, about }])),
  ];
}

/** The actions, and `prefix.*` for each prefix that several of them share. */
function withPrefixes(actions: readonly Value[]): readonly Value[] {
  const groups = Map.groupBy(actions, ({ key }) => `${key}`.slice(0, `${key}`.lastIndexOf('.')));
  const prefixes = [...groups].flatMap(([name, list]) => {
    if (!name || list.length < 2 || /[\s",*]/.test(name)) return [];
    const count = list.reduce((sum, each) => sum + (each.count ?? 0), 0);
    return [{ key: `${name}.*`, ...(count > 0 && { count }), written: `${name}.*` }];
  });
  return [...actions, ...prefixes];
}

/** The words of a line, without its conditions. */
const wordsOf = (line: string): string[] =>
  line
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => /^[\p{L}\p{N}_-]{3,}$/u.test(word));

/** Those first that hold most of the line's other words: of `delete invoice`, invoices.delete. */
function agreeingFirst(values: Value[], others: readonly string[]): Value[] {
  const agreeing = ({ key, label, about }: Value) =>
    others.filter((word) => [key, label, about].some((name) => name?.toLowerCase().includes(word))).length;
  return values.sort((one, other) => agreeing(other) - agreeing(one));
}

/** Values that start with the text, or whose name does, then those that contain it; without the ones already used. */
function matching(values: readonly Value[], typed: string, used: readonly string[]): Value[] {
  const text = typed.replace(/^"/, '').toLowerCase();
  const some = (value: Value, holds: (name: string) => boolean) =>
    [value.label, value.key, value.about].some((name) => name != null && holds(name.toLowerCase()));
  const candidates = values.filter(
    ({ key }) => key !== null && !used.includes(key) && key.toLowerCase() !== text,
  );
  const starts = (value: Value) => some(value, (name) => name.startsWith(text));
  const starting = candidates.filter(starts);
  const containing = candidates.filter(
    (value) => !starts(value) && some(value, (name) => name.includes(text)),
  );
  return [...starting, ...containing].slice(0, MAX_COMPLETIONS);
}

/** Where the term at the caret starts. Terms are separated by white space outside quotes. */
function termStart(line: string, caret: number): number {
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < caret; at++) {
    const char = line[at]!;
    if (char === '\\' && isQuoted) at += 1;
    else if (char === '"') isQuoted = !isQuoted;
    else if (!isQuoted && /\s/.test(char)) start = at + 1;
  }
  return start;
}
