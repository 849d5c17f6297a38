import { QueryLineError, splice } from './fault.js';
import { type FieldName, isRepeatable, isTimeField, type TimeField, takesSeveral } from './fields.js';
import { withoutWord } from './mend-words.js';
import { MAX_VALUES, type QueryTerm, type QueryValue } from './terms.js';
import { SEVERITIES } from './values.js';
import { headOf, type Word } from './words.js';

/** Throws QueryLineError for a term that cannot stand with those before it. `words` are the line's, in the order of the terms. */
export function checkTogether(
  line: string,
  words: readonly Word[],
  before: readonly QueryTerm[],
  term: QueryTerm,
): void {
  const { field, negated } = term;
  if (field === null || isRepeatable(field)) return;
  const same = before.filter((each) => each.field === field && each.negated === negated);
  if (negated) {
    const values = new Set([...same, term].flatMap(keysOf));
    if (values.size > MAX_VALUES)
      throw new QueryLineError(
        'TOO_MANY_VALUES',
        `expected at most ${MAX_VALUES} values of \`-${field}:\` in all, got ${values.size}`,
        term,
      );
    return;
  }
  const [first] = same;
  if (first) {
    const several = takesSeveral(field) ? `; any of several values is \`${field}:a,b\`` : '';
    const mended = asOne(line, words, before, first, term);
    throw new QueryLineError('REPEATED_FIELD', `expected \`${field}\` only once${several}`, term, mended);
  }
  if (isTimeField(field)) checkBounds(line, field, before, term);
}

const keysOf = ({ values }: QueryTerm): string[] => values.map((value) => JSON.stringify(value));

/** The line with two terms of a field as one; null where no one term can say what they mean. */
function asOne(
  line: string,
  words: readonly Word[],
  before: readonly QueryTerm[],
  first: QueryTerm,
  last: QueryTerm,
): string | null {
  const field = first.field as FieldName;
  const [isList, word] = [first.op === ':' && last.op === ':', words[before.length] as Word];
  const rest = withoutWord(line, words, before.length);
  if (isList && keysOf(last).every((key) => keysOf(first).includes(key))) return rest;
  if (isList && takesSeveral(field)) {
    const value = word.written.slice(headOf(word.written)?.length);
    return splice(rest, { position: first.position + first.length, length: 0 }, `,${value}`);
  }
  if (field !== 'severity') return null;
  const both = SEVERITIES.filter((each) => isSeverityOf(first, each) && isSeverityOf(last, each));
  return both.length === 0 ? null : splice(rest, first, `severity:${both.join(',')}`);
}

const gravity = (value: QueryValue | undefined): number =>
  SEVERITIES.findIndex((each) => value !== undefined && 'is' in value && each === value.is);

/** Whether a term on severity, negated or not, holds for one. */
export function isSeverityOf({ op, values, negated }: QueryTerm, severity: string): boolean {
  const [at, bound] = [gravity({ is: severity }), gravity(values[0])];
  const holds =
    op === ':'
      ? values.some((value) => gravity(value) === at)
      : op === '>='
        ? at >= bound
        : op === '>'
          ? at > bound
          : op === '<='
            ? at <= bound
            : at < bound;
  return holds !== negated;
}

const OTHER_BOUND: Readonly<Record<TimeField, TimeField>> = {
  since: 'until',
  until: 'since',
  'occurred-since': 'occurred-until',
  'occurred-until': 'occurred-since',
};

function checkBounds(line: string, field: TimeField, before: readonly QueryTerm[], term: QueryTerm): void {
  const other = before.find((each) => each.field === OTHER_BOUND[field]);
  if (!other) return;
  const [since, until] = field.endsWith('since') ? [term, other] : [other, term];
  if (instantOf(since) <= instantOf(until)) return;
  const boundOf = ({ position, length }: QueryTerm) => {
    const written = line.slice(position, position + length);
    return written.slice(written.indexOf(':') + 1);
  };
  const swapped = splice(line, term, `${field}:${boundOf(other)}`);
  throw new QueryLineError(
    'REVERSED_RANGE',
    `expected \`${since.field}\` before \`${until.field}\``,
    term,
    splice(swapped, other, `${other.field}:${boundOf(term)}`),
  );
}

function instantOf({ values: [value] }: QueryTerm): string {
  return value && 'is' in value ? value.is : '';
}
