import 'reflect-metadata';
import { Field, ObjectType } from 'type-graphql';

/** At most so many changes of one entry are listed. */
export const MAX_CHANGES = 200;
/** Nor more than have paths of so many characters together: a long key stands in the path of each value below it. */
const MAX_PATH_CHARACTERS = 65_536;

@ObjectType({ description: 'One changed value.' })
export class LogChange {
  @Field(() => String, { description: 'JSON Pointer, RFC 6901, from before and after as roots.' })
  path!: string;

  @Field(() => String, { nullable: true, description: 'JSON text; null where the value was added.' })
  before!: string | null;

  @Field(() => String, { nullable: true, description: 'JSON text; null where the value was removed.' })
  after!: string | null;
}

/** What changed, as far as it is listed, and how many changes there are in all. */
export interface Changes {
  readonly listed: readonly LogChange[];
  readonly count: number;
}

/** Keys of `data` that hold what was before and after, the first pair that is there. */
const PAIRS = [
  ['before', 'after'],
  ['old', 'new'],
  ['old_values', 'new_values'],
] as const;

const NONE: Changes = { listed: [], count: 0 };
/** By data, since `changes` and `changeCount` are resolved one by one. */
const known = new WeakMap<object, Changes>();

/**
 * What changed between data.before and data.after (or old and new, or old_values and new_values): objects compared by key,
 * arrays by index, down to single values, also where one side is null or absent; a value that was replaced by one of another
 * type is one change, and so is an empty object or array that was added or removed. In the order of keys (by UTF-16 units)
 * and indices. One side of a pair alone says something only if it is an object or an array.
 */
export function changesOf(data: Record<string, unknown> | null): Changes {
  if (data === null) return NONE;
  const found = known.get(data);
  if (found) return found;
  const list = new ChangeList();
  const pair = PAIRS.map(([before, after]) => [own(data, before), own(data, after)] as const).find(isPair);
  if (pair) list.compare(pair[0], pair[1], '');
  known.set(data, list);
  return list;
}

const isPair = ([before, after]: readonly [unknown, unknown]): boolean =>
  before === undefined || after === undefined
    ? isContainer(before ?? after)
    : before !== null || after !== null;

/** undefined: no such value; JSON's null is a value, but one that an object or array may be added to or removed from. */
class ChangeList implements Changes {
  readonly listed: LogChange[] = [];
  count = 0;
  private room = MAX_PATH_CHARACTERS;

  compare(before: unknown, after: unknown, path: string): void {
    if (before === after) return;
    const [from, to] = [before ?? emptyLike(after), after ?? emptyLike(before)];
    if (Array.isArray(from) && Array.isArray(to)) {
      const length = Math.max(from.length, to.length);
      for (let index = 0; index < length; index++) this.compare(from[index], to[index], `${path}/${index}`);
    } else if (isObject(from) && isObject(to)) {
      const keys = new Set([...Object.keys(from), ...Object.keys(to)]);
      for (const key of [...keys].sort()) this.compare(own(from, key), own(to, key), `${path}/${step(key)}`);
    } else this.add(path, before, after);
  }

  private add(path: string, before: unknown, after: unknown): void {
    this.count += 1;
    if (this.listed.length >= MAX_CHANGES) return;
    this.room -= path.length;
    if (this.room >= 0) this.listed.push({ path, before: json(before), after: json(after) });
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** What a whole object or array is compared with where there was nothing; nothing for one that is empty itself. */
function emptyLike(value: unknown): unknown {
  if (Array.isArray(value)) return value.length > 0 ? [] : undefined;
  return isObject(value) && Object.keys(value).length > 0 ? {} : undefined;
}

/** Own properties only: `constructor` is a key only if the payload has it. */
const own = (object: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;

/** RFC 6901, section 3. */
const step = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
