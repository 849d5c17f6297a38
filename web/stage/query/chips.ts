import { type ComputedRef, computed } from 'vue';
import { printDataPath } from '../../../src/query-line/data-path.js';
import { printQueryLine } from '../../../src/query-line/print.js';
import type { QueryTerm, QueryValue } from '../../../src/query-line/terms.js';
import { i18n } from '../i18n.js';
import { nameText } from '../parts/recorded-text.js';
import { formatLong } from '../parts/times.js';
import type { Stage } from '../stage.js';
import { type Terms, termsOf } from './edit.js';

/** One term of the query line in words. */
export interface Chip {
  /** `Actor`, `Severity`; empty for a text. */
  field: string;
  negated: boolean;
  /** `is`, or what a bound is called. */
  op: string;
  /** The values by name; a text in quotation marks of the page's language. */
  values: string;
  /** Where the term stands in the line. */
  position: number;
  length: number;
  /** The line without it. */
  without: string;
}

interface Words {
  t: (key: string, named?: Record<string, string>) => string;
  actorNames: ReadonlyMap<string, string>;
  clientName: (id: string) => string | null;
  formatTime: (at: string) => string;
}

/** The terms of an applied line; none where it has a fault. */
export function chipsOf(line: string, timeZone: string, words: Words): Chip[] {
  let terms: Terms;
  try {
    terms = termsOf(line, timeZone);
  } catch {
    return [];
  }
  return terms.map((term) => ({
    field: fieldName(term, words),
    negated: term.negated,
    op: term.op === ':' ? '' : term.op.replace('>=', '≥').replace('<=', '≤'),
    values: term.values.map((value) => valueName(term, value, words)).join(', '),
    position: term.position,
    length: term.length,
    without: printQueryLine(terms.filter((each) => each !== term)),
  }));
}

function fieldName({ field, path }: QueryTerm, { t }: Words): string {
  if (field === null) return '';
  return path ? `data.${printDataPath(path)}` : t(`chips.fields.${field}`);
}

/** Fields whose values have names of their own. */
const NAMED: Partial<Record<string, string>> = {
  severity: 'severities',
  outcome: 'outcomes',
  origin: 'origins',
  type: 'actorTypes',
};

function valueName(
  { field }: QueryTerm,
  value: QueryValue,
  { t, actorNames, clientName, formatTime }: Words,
): string {
  if ('none' in value) return t(field === 'actor' ? 'breakdown.nobody' : 'breakdown.unsaid');
  if ('exists' in value) return t('chips.exists');
  if ('prefix' in value) return `${value.prefix}*`;
  if ('type' in value) {
    const { type, id } = value;
    return id ? `${type}/${'is' in id ? id.is : `${id.prefix}*`}` : type;
  }
  const { is } = value;
  if (field === null) return t('chips.text', { text: is });
  if (field === 'actor' || field === 'behalf') return actorNames.get(is) ?? is;
  if (field === 'client') return clientName(is) ?? is;
  if (field.endsWith('since') || field.endsWith('until')) return value.written ?? formatTime(is);
  const names = NAMED[field];
  return names ? t(`reel.${names}.${is}`) : is;
}

/** The terms that are applied, in words of the page's language. */
export function useChips(stage: Stage): ComputedRef<Chip[]> {
  const { t } = i18n.global;
  return computed(() =>
    chipsOf(stage.view.q, stage.zone.value, {
      t,
      actorNames: stage.actorNames.value,
      clientName: stage.clientName,
      formatTime: (at) => formatLong(at, stage.language.value, stage.zone.value),
    }),
  );
}

/** A term as one text. */
export const wordsOf = ({ negated, field, op, values }: Chip, t: (key: string) => string): string =>
  [negated ? t('chips.not') : '', field && `${field}${op ? ` ${op}` : ':'}`, nameText(values)]
    .filter(Boolean)
    .join(' ');
