/** An object of more members is wide. */
const WIDE = 8_192;

/** The names of wide objects that were read from text, in order. */
const read = new WeakMap<object, string[]>();

/**
 * To be called for each member of an object that is read, in order, before it is added as the `count`th: V8 sorts the names of a wide object
 * whenever somebody asks for them, which for 200,000 takes a tenth of a second.
 */
export function noteName(object: object, name: string, count: number): void {
  if (count <= WIDE) return;
  const names = count === WIDE + 1 ? Object.keys(object) : read.get(object);
  if (count === WIDE + 1 && names && !names.some(isIndex)) read.set(object, names);
  if (!names || !read.has(object)) return;
  // Those come first whatever their place, as JSON.stringify writes them, too.
  if (isIndex(name)) read.delete(object);
  else if (!Object.hasOwn(object, name)) names.push(name);
}

const isIndex = (name: string): boolean => /^\d/.test(name);

/** As Object.keys. */
export const namesOf = (object: object): readonly string[] => read.get(object) ?? Object.keys(object);
