import type { View } from '../link.js';
import { formatSpan } from '../parts/times.js';

/** The time that a view covers, in words. */
export function nameOfTime(
  { range, from, to }: Pick<View, 'range' | 'from' | 'to'>,
  t: (key: string, named?: Record<string, string>) => string,
  lang: string,
  zone: string,
): string {
  if (range) return t(`range.${range}`);
  if (!from && !to) return t('range.all');
  return formatSpan(from, to, lang, zone, {
    since: (time) => t('range.since', { time }),
    until: (time) => t('range.until', { time }),
  });
}
