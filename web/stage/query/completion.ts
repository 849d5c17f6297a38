import { FIELDS, type FieldName, isBareItem, quote } from '../../../src/query-line/terms.js';
import { SEVERITIES } from '../../../src/query-line/values.js';
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
}

type Value = { key: string | null; count?: number };

const MAX_COMPLETIONS = 12;
const ORIGINS: Value[] = [{ key: 'module' }, { key: 'browser' }];
const TIMES: Value[] = ['-1h', '-24h', '-7d', '-4w'].map((key) => ({ key }));

/** What the term at the caret can be completed to: fields, and values that occur in this tenant. */
export function completionsAt(line: string, caret: number, vocabulary: Vocabulary | null): Completion[] {
  const from = termStart(line, caret);
  const to = caret + (/^[^\s"]*/.exec(line.slice(caret))?.[0].length ?? 0);
  const typed = line.slice(from, caret);
  const head = /^(-?)([a-z]+)(:|>=)(.*)$/is.exec(typed);
  if (head) {
    const [, minus = '', name = '', op = '', value = ''] = head;
    const values = valuesOf(name.toLowerCase(), vocabulary);
    // Values are separated by commas; the last one is completed.
    const at = from + typed.length - (value.split(',').at(-1) ?? '').length;
    const used = value.split(',').slice(0, -1);
    return matching(values, line.slice(at, caret), used).map(({ key, count }) => ({
      kind: 'value',
      label: `${minus}${name.toLowerCase()}${op}${key}`,
      text: quoteIfNeeded(key!),
      from: at,
      to,
      ...(count !== undefined && { count }),
    }));
  }
  const minus = typed.startsWith('-') ? '-' : '';
  const word = typed.slice(minus.length).toLowerCase();
  if (word.includes('"')) return [];
  const fields = FIELDS.filter(
    (name) => name.startsWith(word) && (!minus || name === 'module' || name === 'action'),
  );
  const wholeTerms = (name: string, values: readonly Value[]): Completion[] =>
    word === ''
      ? []
      : matching(values, word, []).map(({ key, count }) => ({
          kind: 'value',
          label: `${minus}${name}:${key}`,
          text: `${minus}${name}:${quoteIfNeeded(key!)}`,
          from,
          to,
          ...(count !== undefined && { count }),
        }));
  return [
    ...fields.map(
      (name): Completion => ({
        kind: 'field',
        label: `${minus}${name}:`,
        text: `${minus}${name}:`,
        from,
        to,
        field: name,
      }),
    ),
    ...wholeTerms('module', vocabulary?.modules ?? []),
    ...wholeTerms('action', vocabulary?.actions ?? []),
    ...(minus ? [] : wholeTerms('severity', severitiesOf(vocabulary))),
  ].slice(0, MAX_COMPLETIONS);
}

const quoteIfNeeded = (value: string) => (isBareItem(value) ? value : quote(value));

const severitiesOf = (vocabulary: Vocabulary | null): Value[] =>
  [...SEVERITIES].reverse().map((key) => vocabulary?.severities.find((each) => each.key === key) ?? { key });

function valuesOf(name: string, vocabulary: Vocabulary | null): readonly Value[] {
  if (name === 'module') return vocabulary?.modules ?? [];
  if (name === 'action') return withPrefixes(vocabulary?.actions ?? []);
  if (name === 'severity') return severitiesOf(vocabulary);
  if (name === 'origin') return ORIGINS;
  if (name === 'since' || name === 'until') return TIMES;
  return [];
}

/** The actions, and `prefix.*` for each prefix that several of them share. */
function withPrefixes(actions: readonly Value[]): readonly Value[] {
  const groups = Map.groupBy(actions, ({ key }) => `${key}`.slice(0, `${key}`.lastIndexOf('.')));
  const prefixes = [...groups].flatMap(([name, list]) =>
    name && list.length > 1
      ? [{ key: `${name}.*`, count: list.reduce((sum, { count = 0 }) => sum + count, 0) }]
      : [],
  );
  return [...actions, ...prefixes];
}

/** Values that start with the text, then those that contain it; without the ones already used. */
function matching(values: readonly Value[], typed: string, used: readonly string[]): Value[] {
  const text = typed.replace(/^"/, '').toLowerCase();
  const candidates = values.filter(
    ({ key }) => key !== null && !used.includes(key) && key.toLowerCase() !== text,
  );
  const starting = candidates.filter(({ key }) => key!.toLowerCase().startsWith(text));
  const containing = candidates.filter(
    ({ key }) => !key!.toLowerCase().startsWith(text) && key!.toLowerCase().includes(text),
  );
  return [...starting, ...containing].slice(0, MAX_COMPLETIONS);
}

/** Where the term at the caret starts. Terms are separated by white space outside quotes. */
function termStart(line: string, caret: number): number {
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < caret; at++) {
    const char = line[at]!;
    if (char === '"' && line[at - 1] !== '\\') isQuoted = !isQuoted;
    else if (!isQuoted && /\s/.test(char)) start = at + 1;
  }
  return start;
}
