import 'reflect-metadata';
import { Field, ObjectType } from 'type-graphql';

/** At most so many changes of one entry are returned. */
export const MAX_CHANGES = 200;

@ObjectType({ description: 'One changed value.' })
export class LogChange {
  @Field(() => String, { description: 'JSON Pointer, RFC 6901, from before and after as roots.' })
  path!: string;

  @Field(() => String, { nullable: true, description: 'JSON text; null where the value was added.' })
  before!: string | null;

  @Field(() => String, { nullable: true, description: 'JSON text; null where the value was removed.' })
  after!: string | null;
}

/**
 * What changed between data.before and data.after: objects compared by key, arrays by index, a value that was added,
 * removed or replaced by one of another type as one change. In the order of keys (by UTF-16 units) and indices, at most 200.
 * If only one of the two exists, the root (path "") was added or removed; if neither does, nothing changed.
 */
export function changesOf(data: Record<string, unknown> | null): LogChange[] {
  if (data === null) return [];
  const changes: LogChange[] = [];
  compare(own(data, 'before'), own(data, 'after'), '', changes);
  return changes;
}

/** undefined: no such value; JSON's null is a value. */
function compare(before: unknown, after: unknown, path: string, changes: LogChange[]): void {
  if (changes.length >= MAX_CHANGES || before === after) return;
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    for (let index = 0; index < length && changes.length < MAX_CHANGES; index++)
      compare(before[index], after[index], `${path}/${index}`, changes);
  } else if (isObject(before) && isObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const key of [...keys].sort())
      compare(own(before, key), own(after, key), `${path}/${step(key)}`, changes);
  } else {
    changes.push({ path, before: json(before), after: json(after) });
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Own properties only: `constructor` is a key only if the payload has it. */
const own = (object: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;

/** RFC 6901, section 3. */
const step = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
