import type { HttpAnswer } from '../egress/egress.js';

/** An answer's JSON object; null where it is none. */
export function readAnswer<T extends object>({ body }: Pick<HttpAnswer, 'body'>): T | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as T) : null;
  } catch {
    return null;
  }
}
