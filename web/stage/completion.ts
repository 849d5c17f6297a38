import { FIELDS, isBareItem, quote } from '../../src/query-line/terms.js';
import { SEVERITIES } from '../../src/query-line/values.js';
import type { VocabularyQuery } from './generated.js';

export interface Completion {
  kind: 'field' | 'value';
  /** As it is shown. */
  label: string;
  /** What takes the place of the line's text between from and to. */
  text: string;
  from: number;
  to: number;
  /** Of a field: its name. */
  about?: string;
  /** Of a value: how many entries have it. */
  count?: number;
}

type Vocabulary = VocabularyQuery['logStats'] | null;
type Value = { key: string | null; count?: number };

const MOST = 12;
const ORIGINS: Value[] = [{ key: 'module' }, { key: 'browser' }];
const TIMES: Value[] = ['-1h', '-24h', '-7d', '-4w'].map((key) => ({ key }));

/** What the term at the caret may become: fields, and values that occur in this tenant. */
export function completionsAt(line: string, caret: number, vocabulary: Vocabulary): Completion[] {
  const from = termStart(line, caret);
  const rest = /^[^\s"]*/.exec(line.slice(caret))?.[0].length ?? 0;
  const to = caret + rest;
  const typed = line.slice(from, caret);
  const head = /^(-?)([a-z]+)(:|>=)(.*)$/is.exec(typed);
  if (head) {
    const [, minus = '', name = '', op = '', value = ''] = head;
    const known = valuesOf(name.toLowerCase(), vocabulary);
    // Several values are parted by commas; the last is being written.
    const at = from + typed.length - (value.split(',').at(-1) ?? '').length;
    const taken = value.split(',').slice(0, -1);
    return matching(known, line.slice(at, caret), taken).map(({ key, count }) => ({
      kind: 'value',
      label: `${minus}${name.toLowerCase()}${op}${key}`,
      text: spelt(key!),
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
  const whole = (name: string, values: readonly Value[]): Completion[] =>
    word === ''
      ? []
      : matching(values, word, []).map(({ key, count }) => ({
          kind: 'value',
          label: `${minus}${name}:${key}`,
          text: `${minus}${name}:${spelt(key!)}`,
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
        about: name,
      }),
    ),
    ...whole('module', vocabulary?.modules ?? []),
    ...whole('action', vocabulary?.actions ?? []),
    ...(minus ? [] : whole('severity', severities(vocabulary))),
  ].slice(0, MOST);
}

const spelt = (value: string) => (isBareItem(value) ? value : quote(value));

const severities = (vocabulary: Vocabulary): Value[] =>
  [...SEVERITIES].reverse().map((key) => vocabulary?.severities.find((each) => each.key === key) ?? { key });

function valuesOf(name: string, vocabulary: Vocabulary): readonly Value[] {
  if (name === 'module') return vocabulary?.modules ?? [];
  if (name === 'action') return actionsOf(vocabulary?.actions ?? []);
  if (name === 'severity') return severities(vocabulary);
  if (name === 'origin') return ORIGINS;
  if (name === 'since' || name === 'until') return TIMES;
  return [];
}

/** Actions as they occur, and everything below a name that several share. */
function actionsOf(actions: readonly Value[]): readonly Value[] {
  const groups = Map.groupBy(actions, ({ key }) => `${key}`.slice(0, `${key}`.lastIndexOf('.')));
  const below = [...groups].flatMap(([name, list]) =>
    name && list.length > 1
      ? [{ key: `${name}.*`, count: list.reduce((sum, { count = 0 }) => sum + count, 0) }]
      : [],
  );
  return [...actions, ...below];
}

/** Those that begin so first, then those that hold it. */
function matching(values: readonly Value[], typed: string, taken: readonly string[]): Value[] {
  const sought = typed.replace(/^"/, '').toLowerCase();
  const rest = values.filter(
    ({ key }) => key !== null && !taken.includes(key) && key.toLowerCase() !== sought,
  );
  const begins = rest.filter(({ key }) => key!.toLowerCase().startsWith(sought));
  const holds = rest.filter(
    ({ key }) => !key!.toLowerCase().startsWith(sought) && key!.toLowerCase().includes(sought),
  );
  return [...begins, ...holds].slice(0, MOST);
}

/** Where the term begins that the caret stands in; blanks in quotes part nothing. */
function termStart(line: string, caret: number): number {
  let start = 0;
  let quoted = false;
  for (let at = 0; at < caret; at++) {
    const letter = line[at]!;
    if (letter === '"' && line[at - 1] !== '\\') quoted = !quoted;
    else if (!quoted && /\s/.test(letter)) start = at + 1;
  }
  return start;
}
