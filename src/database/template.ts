import type { CompiledQuery } from 'kysely';
import { LRUCache } from 'lru-cache';

interface Template {
  readonly statement: CompiledQuery;
  /** By parameter: the value that stands there; null for one that is always the same. */
  readonly names: readonly (string | null)[];
}

const MOST = 1_000;
const templates = new LRUCache<string, Template>({ max: MOST });

/**
 * A statement whose text depends on `key` alone, built and compiled once, which takes longer than the rest of what is done for a short read. `build` is given
 * stand-ins for the values, which it may use as whole parameters only, without looking at them.
 */
export function fromTemplate<V extends Readonly<Record<string, unknown>>, S extends CompiledQuery>(
  key: string,
  values: V,
  build: (standIns: V) => S,
): S {
  let template = templates.get(key);
  if (!template) {
    template = makeTemplate(Object.keys(values), (standIns) => build(standIns as V));
    templates.set(key, template);
  }
  const { statement, names } = template;
  const parameters = statement.parameters.map((same, at) => {
    const name = names[at];
    return name == null ? same : values[name];
  });
  return { ...(statement as S), parameters };
}

function makeTemplate(valueNames: readonly string[], build: (standIns: object) => CompiledQuery): Template {
  const standIns = Object.fromEntries(valueNames.map((name) => [name, `a stand-in for ${name}`]));
  const statement = build(standIns);
  const names = statement.parameters.map(
    (parameter) => valueNames.find((name) => standIns[name] === parameter) ?? null,
  );
  for (const name of valueNames)
    if (!names.includes(name)) throw new Error(`${name}: expected a parameter of the statement, got none`);
  return { statement, names };
}
