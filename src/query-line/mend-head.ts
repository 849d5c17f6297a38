import { printDataPath } from './data-path.js';
import { type FieldName, isOrdered } from './fields.js';
import type { Head } from './words.js';

/** A field's name and operator put right: `severity!=` as `-severity:`; null where it could mean several. */
export function mendOperator({ name, negated, operator }: Head, field: FieldName): string | null {
  const minus = negated ? '-' : '';
  if (operator === '=' || operator === '==') return `${minus}${name}:`;
  if (operator === '!=' || operator === '<>') return `${negated ? '' : '-'}${name}:`;
  const ordered = operator === '=>' ? '>=' : operator === '=<' ? '<=' : operator;
  if (isOrdered(field)) return `${minus}${name}${ordered}`;
  const isBound =
    (field.endsWith('since') && ordered[0] === '>') || (field.endsWith('until') && ordered[0] === '<');
  return isBound ? `${minus}${name}:` : null;
}

/** A path with its odd keys in quotes, and `.*` as `[*]`. */
export function mendPath(name: string): string | null {
  const path = name.slice(5).replaceAll('.*', '[*]');
  if (!name.startsWith('.', 4) || path.includes('"')) return null;
  const steps = path.split('.').flatMap((step) => {
    const key = step.replace(/(?:\[\*\])+$/, '');
    return [
      { key },
      ...Array.from({ length: (step.length - key.length) / 3 }, () => ({ anyItem: true as const })),
    ];
  });
  const isClear = steps.every((step) => !('key' in step) || (step.key !== '' && !/[[\]*]/.test(step.key)));
  return isClear ? `${name.slice(0, 4)}.${printDataPath(steps)}` : null;
}
