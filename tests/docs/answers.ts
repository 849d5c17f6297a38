const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

/**
 * Where what came differs from what is documented; null where it does not. Keys, their order, and values must be the same; an id or
 * a time stands for any, and `…` in a text for any text without a line break.
 */
export function difference(documented: unknown, came: unknown, path = '$'): string | null {
  if (typeof documented === 'string') {
    const fits = typeof came === 'string' && patternOf(documented).test(came);
    return fits ? null : `${path}: expected ${documented}, got ${JSON.stringify(came)}`;
  }
  if (typeof documented !== 'object' || documented === null)
    return documented === came ? null : `${path}: expected ${documented}, got ${JSON.stringify(came)}`;
  const [expected, got] = [Object.keys(documented), Object.keys((came ?? {}) as object)];
  if (expected.join() !== got.join() || Array.isArray(documented) !== Array.isArray(came))
    return `${path}: expected ${expected.join(', ')}, got ${got.join(', ')}`;
  for (const [key, value] of Object.entries(documented)) {
    const found = difference(value, (came as Record<string, unknown>)[key], `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}

function patternOf(documented: string): RegExp {
  if (UUID.test(documented)) return UUID;
  if (INSTANT.test(documented)) return INSTANT;
  const parts = documented.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.+')}$`);
}
