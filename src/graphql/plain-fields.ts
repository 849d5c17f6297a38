import { MapperKind, mapSchema } from '@graphql-tools/utils';
import {
  defaultFieldResolver,
  type FieldNode,
  type GraphQLField,
  type GraphQLFieldConfig,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNullableType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  type SelectionSetNode,
} from 'graphql';
import { JsonText } from '../http/json-writer.js';
import type { FieldName } from '../log/entry/fields.js';
import { StoredEntry } from '../log/entry/stored-entry.js';
import type { ReelContext } from './context.js';
import { everyField, STORED } from './selection.js';

/** An object, or those of a list, finished, and where in the result they go. */
export interface Finished {
  readonly path: GraphQLResolveInfo['path'];
  readonly value: object;
}

/** Makes an object of the result, as text. Errors: whatever graphql-js would report of the field. */
type Finish = (source: unknown) => JsonText;

/**
 * Finishes single entries, and lists of objects, whose selections are nothing but fields without resolvers, which graphql-js does field by
 * field at ten times the cost: their resolvers answer null or an empty list, and `placeFinished` puts them in its place. What is not so plain,
 * or goes wrong, is left to graphql-js, as are operations whose context has no `finished`.
 */
export function finishPlainFields(schema: GraphQLSchema): GraphQLSchema {
  return mapSchema(schema, {
    [MapperKind.OBJECT_FIELD]: (field: GraphQLFieldConfig<unknown, ReelContext>) => {
      if (!itemOf(field.type)) return field;
      const { resolve = defaultFieldResolver } = field;
      const finish = finisher();
      const finishing: typeof resolve = (source, args, context, info) => {
        const found: unknown = resolve(source, args, context, info);
        return found instanceof Promise
          ? found.then((value: unknown) => finish(value, context, info))
          : finish(found, context, info);
      };
      if (!field.resolve) readers.add(finishing);
      return { ...field, resolve: finishing };
    },
  });
}

/** Resolvers of fields that have none of their own: they read a property. */
const readers = new WeakSet<object>();

const readsProperty = ({ resolve, args }: GraphQLField<unknown, ReelContext>): boolean =>
  args.length === 0 && (!resolve || readers.has(resolve));

function finisher() {
  const known = new WeakMap<FieldNode, Finish | null>();
  return (found: unknown, { finished }: ReelContext, info: GraphQLResolveInfo): unknown => {
    if (!finished || !(Array.isArray(found) ? found.length > 0 : found instanceof StoredEntry)) return found;
    const [node, ...others] = info.fieldNodes;
    if (!node || others.length > 0) return found;
    let finish = known.get(node);
    if (finish === undefined) {
      finish = finishOf(node, info);
      known.set(node, finish);
    }
    if (finish === null) return found;
    try {
      const value = Array.isArray(found) ? found.map(finish) : finish(found);
      finished.push({ path: info.path, value });
      return Array.isArray(found) ? [] : null;
    } catch {
      return found;
    }
  };
}

/** Puts what was finished in its places in the data of a result. */
export function placeFinished(data: unknown, finished: readonly Finished[]): void {
  for (const { path, value } of finished) {
    const parent = path.prev ? at(data, path.prev) : data;
    // Else an error has left null there, or above it.
    if (typeof parent !== 'object' || parent === null) continue;
    const place = parent as Record<string | number, unknown>;
    if (Array.isArray(value) ? Array.isArray(place[path.key]) : place[path.key] === null)
      place[path.key] = value;
  }
}

function at(data: unknown, { prev, key }: GraphQLResolveInfo['path']): unknown {
  const parent = prev ? at(data, prev) : data;
  return (parent as Record<string | number, unknown> | null | undefined)?.[key];
}

/** What a list of objects has, or a field that may be null is; else null. */
function itemOf(returned: GraphQLOutputType): GraphQLObjectType | null {
  if (isObjectType(returned)) return returned;
  const list = getNullableType(returned);
  const type = isListType(list) ? getNullableType(list.ofType as GraphQLOutputType) : null;
  return isObjectType(type) ? type : null;
}

function finishOf({ selectionSet }: FieldNode, info: GraphQLResolveInfo): Finish | null {
  const type = itemOf(info.returnType);
  return type && selectionSet ? finishObject(type, selectionSet, info) : null;
}

function finishObject(
  type: GraphQLObjectType,
  selectionSet: SelectionSetNode,
  info: GraphQLResolveInfo,
): Finish | null {
  const write = writerOfObject(type, selectionSet, info);
  return write && ((source) => new JsonText(write(source)));
}

/** A finished value as JSON text. Errors: whatever graphql-js would report of it. */
type Write = (value: unknown) => string;

function writerOfObject(
  type: GraphQLObjectType,
  selectionSet: SelectionSetNode,
  info: GraphQLResolveInfo,
): Write | null {
  const fields: WrittenField[] = [];
  if (!addFields(fields, selectionSet, type, info)) return null;
  return (source) => {
    if (typeof source !== 'object' || source === null || !isHere(source))
      throw new TypeError(`expected an object, got ${typeof source}`);
    const ofField = source instanceof StoredEntry ? ofEntry(source) : ofObject(source);
    let text = '';
    for (const field of fields) text += field.label + ofField(field);
    return `{${text.slice(1)}}`;
  };
}

interface WrittenField {
  /** In the result. */
  readonly key: string;
  /** In the source. */
  readonly name: string;
  /** What stands before the value in the text: a comma and the key. */
  readonly label: string;
  /** Of whatever object, the text of the value. */
  readonly always: string | null;
  /** The field of an entry, of which the row has the text. */
  readonly stored: FieldName | null;
  readonly write: Write;
}

const ofObject =
  (source: object) =>
  ({ always, name, write }: WrittenField): string =>
    always ?? write((source as Record<string, unknown>)[name]);

const ofEntry =
  (entry: StoredEntry) =>
  ({ always, name, stored }: WrittenField): string => {
    if (always !== null) return always;
    if (stored) return entry.json(stored);
    throw new TypeError(`expected a field of an entry, got ${name}`);
  };

/** False for a selection that is more than stored fields. */
function addFields(
  fields: WrittenField[],
  selectionSet: SelectionSetNode,
  type: GraphQLObjectType,
  info: GraphQLResolveInfo,
): boolean {
  return everyField(selectionSet, info, (selection) => {
    const { value: name } = selection.name;
    const key = selection.alias?.value ?? name;
    if (fields.some((other) => other.key === key)) return !selection.selectionSet;
    const label = `,${JSON.stringify(key)}:`;
    if (name === '__typename') {
      const always = JSON.stringify(type.name);
      fields.push({ key, name, label, always, stored: null, write: () => always });
      return true;
    }
    const field = type.getFields()[name];
    const write = field && readsProperty(field) ? writerOf(field.type, selection, info) : null;
    if (!write) return false;
    fields.push({ key, name, label, always: null, stored: STORED.get(name) ?? null, write });
    return true;
  });
}

/** Of a leaf type, a plain object, or a list of them; null for another type. */
function writerOf(type: GraphQLOutputType, node: FieldNode, info: GraphQLResolveInfo): Write | null {
  if (isNonNullType(type)) {
    const write = writerOf(type.ofType as GraphQLOutputType, node, info);
    return write && ((value) => present(write(value)));
  }
  if (isListType(type)) {
    const write = writerOf(type.ofType as GraphQLOutputType, node, info);
    return (
      write &&
      orNull(
        (value) =>
          `[${items(value)
            .map((item) => write(item))
            .join(',')}]`,
      )
    );
  }
  if (isObjectType(type) && node.selectionSet) {
    const write = writerOfObject(type, node.selectionSet, info);
    return write && orNull(write);
  }
  if (!isLeafType(type)) return null;
  const leaf: GraphQLLeafType = type;
  return orNull((value) => {
    if (!isHere(value)) throw new TypeError(`expected a value, got ${typeof value}`);
    return present(JSON.stringify(leaf.serialize(value)));
  });
}

/** False for what graphql-js calls, awaits or reports. */
const isHere = (value: unknown): boolean =>
  typeof value === 'object'
    ? !(value instanceof Promise || value instanceof Error)
    : typeof value !== 'function';

const orNull =
  (write: Write): Write =>
  (value) =>
    value == null ? 'null' : write(value);

/** Errors: TypeError for what must not be null, or is nothing in JSON. */
function present(text: string | undefined): string {
  if (text === undefined || text === 'null') throw new TypeError('expected a value, got null');
  return text;
}

/** Errors: TypeError for what is no list. */
function items(value: unknown): unknown[] {
  if (Array.isArray(value)) return Array.from(value as unknown[]);
  throw new TypeError(`expected a list, got ${typeof value}`);
}
