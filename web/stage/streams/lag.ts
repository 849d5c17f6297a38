import type { StreamFragment } from '../generated.js';

interface Words {
  t: (key: string, named: Record<string, unknown>, plural: number) => string;
  n: (value: number) => string;
  lang: string;
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** `3 min`, in the largest unit of which there is at least two. */
export function formatSeconds(seconds: number, lang: string): string {
  const [unit, size] = UNITS.find(([, size]) => seconds >= 2 * size) ?? (['second', 1] as const);
  return new Intl.NumberFormat(lang, {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    maximumFractionDigits: 0,
  }).format(Math.floor(seconds / size));
}

/** `1,204 entries · 3 min`, or that there is nothing to be delivered. */
export function lagOf(
  { lagEntries, lagSeconds }: Pick<StreamFragment, 'lagEntries' | 'lagSeconds'>,
  { t, n, lang }: Words,
): string {
  const entries = t('streams.behind', { n: n(lagEntries) }, lagEntries);
  return lagEntries === 0 ? entries : `${entries} · ${formatSeconds(lagSeconds, lang)}`;
}
