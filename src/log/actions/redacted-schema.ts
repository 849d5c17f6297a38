import type { JsonSchema } from './json-schema.js';

/** Schemas within a schema that hold for the same value. */
const SAME_VALUE = ['allOf', 'anyOf', 'oneOf'] as const;
/** Schemas of a list's items, and of the members of an object whose names are not said. */
const ITEMS = ['items', 'unevaluatedItems', 'contains'] as const;
/** What may no longer hold of a value of which something is left out. */
const OF_THE_WHOLE: ReadonlySet<string> = new Set([
  'const',
  'enum',
  'if',
  'then',
  'else',
  'not',
  'minProperties',
  'dependentRequired',
  'dependentSchemas',
  'uniqueItems',
]);
/** References are followed so far, and so many schemas are looked at, since they may lead round and fork. */
const MAX_LEVELS = 64;
const MAX_VISITS = 5_000;

type Schema = Readonly<Record<string, unknown>>;

/**
 * What data fits once it is redacted, if it fitted the schema before: any value may stand at the paths, or none. A path leads
 * through lists, and `*` is any name. References within the schema are followed.
 */
export const withoutRedacted = (schema: JsonSchema, paths: readonly string[]): JsonSchema =>
  paths.reduce<JsonSchema>((each, path) => new Relaxing(each).relax(each, path.split('.'), 0), schema);

class Relaxing {
  private visits = 0;

  constructor(private readonly root: Schema) {}

  relax(schema: Schema, names: readonly string[], level: number): Schema {
    this.visits += 1;
    if (level > MAX_LEVELS || this.visits > MAX_VISITS) return {};
    const relaxed: Record<string, unknown> = {};
    for (const [keyword, value] of Object.entries(schema))
      if (!OF_THE_WHOLE.has(keyword)) relaxed[keyword] = value;
    const within = (value: unknown, rest: readonly string[]) =>
      isSchema(value) ? this.relax(value, rest, level + 1) : value;
    for (const keyword of SAME_VALUE)
      if (Array.isArray(relaxed[keyword])) {
        const some = relaxed[keyword].map((each) => within(each, names));
        delete relaxed[keyword];
        // What only one took, several may take when they say less.
        const to = keyword === 'oneOf' ? 'anyOf' : keyword;
        if (to in relaxed) relaxed.allOf = [...((relaxed.allOf as unknown[]) ?? []), { [to]: some }];
        else relaxed[to] = some;
      }
    // A name may be an item's index, too.
    const [name = '', ...rest] = names;
    const item = (value: unknown) => {
      if (name !== '*' && !/^\d+$/.test(name)) return within(value, names);
      return rest.length === 0 ? {} : within(within(value, names), rest);
    };
    for (const keyword of ITEMS) if (isSchema(relaxed[keyword])) relaxed[keyword] = item(relaxed[keyword]);
    if (Array.isArray(relaxed.prefixItems)) relaxed.prefixItems = relaxed.prefixItems.map(item);
    this.follow(relaxed, names, level);
    return this.relaxMembers(relaxed, names, within);
  }

  /** In place of a reference, what it leads to. */
  private follow(relaxed: Record<string, unknown>, names: readonly string[], level: number): void {
    const { $ref, $dynamicRef = $ref } = relaxed;
    if (typeof $dynamicRef !== 'string') return;
    delete relaxed.$ref;
    delete relaxed.$dynamicRef;
    const target = this.at($dynamicRef);
    if (isSchema(target))
      relaxed.allOf = [...((relaxed.allOf as unknown[]) ?? []), this.relax(target, names, level + 1)];
  }

  /** A schema by its JSON Pointer, within the root. */
  private at(reference: string): unknown {
    if (!/^#(?:\/|$)/.test(reference)) return undefined;
    let at: unknown = this.root;
    for (const step of reference.split('/').slice(1))
      at = (at as Schema | undefined)?.[decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')];
    return at;
  }

  private relaxMembers(
    relaxed: Record<string, unknown>,
    [name = '', ...rest]: readonly string[],
    within: (value: unknown, rest: readonly string[]) => unknown,
  ): Schema {
    const isLast = rest.length === 0;
    const isMeant = (each: string) => name === '*' || each === name;
    const member = (value: unknown) => (isLast ? {} : within(value, rest));
    if (isLast && Array.isArray(relaxed.required))
      relaxed.required = relaxed.required.filter((each) => !isMeant(String(each)));
    for (const keyword of ['properties', 'patternProperties'])
      if (isSchema(relaxed[keyword]))
        relaxed[keyword] = Object.fromEntries(
          Object.entries(relaxed[keyword]).map(([each, value]) => [
            each,
            // Any pattern may be of the name.
            keyword === 'patternProperties' || isMeant(each) ? member(value) : value,
          ]),
        );
    for (const keyword of ['additionalProperties', 'unevaluatedProperties'])
      if (isSchema(relaxed[keyword])) relaxed[keyword] = member(relaxed[keyword]);
    return relaxed;
  }
}

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
