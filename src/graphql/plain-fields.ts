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
import type { JsonBytes } from '../http/json-writer.js';
import type { FieldName } from '../log/entry/fields.js';
import { bytesOf, type GrowingBytes, listOf } from '../log/entry/growing-bytes.js';
import { type EntryMember, EntryWriter, StoredEntry } from '../log/entry/stored-entry.js';
import type { ReelContext } from './context.js';
import { everyField, STORED } from './selection.js';

/** An object, or a list of them, finished, and where in the result they go. */
export interface Finished {
  readonly path: GraphQLResolveInfo['path'];
  readonly value: JsonBytes;
  readonly isList: boolean;
}

/** Writes a value of the result as JSON; false for null. Errors: whatever graphql-js would report of it; part of it is written then. */
type Write = (out: GrowingBytes, value: unknown) => boolean;

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

/** A list is written in one go; of a longer one graphql-js makes what is then written piece by piece, so that the event loop is not held. */
const MAX_AT_ONCE_BYTES = 2 * 1_048_576;

/** Resolvers of fields that have none of their own: they read a property. */
const readers = new WeakSet<object>();

const readsProperty = ({ resolve, args }: GraphQLField<unknown, ReelContext>): boolean =>
  args.length === 0 && (!resolve || readers.has(resolve));

function finisher() {
  const known = new WeakMap<FieldNode, Write | null>();
  return (found: unknown, { finished, answer }: ReelContext, info: GraphQLResolveInfo): unknown => {
    if (!finished || !(Array.isArray(found) ? found.length > 0 : found instanceof StoredEntry)) return found;
    const [node, ...others] = info.fieldNodes;
    if (!node || others.length > 0) return found;
    let write = known.get(node);
    if (write === undefined) {
      write = writerOfField(node, info);
      known.set(node, write);
    }
    if (write === null) return found;
    const finish = write;
    try {
      const pieces = Array.isArray(found)
        ? listOf(found, finish, MAX_AT_ONCE_BYTES)
        : [bytesOf((out) => finish(out, found), MAX_AT_ONCE_BYTES)];
      finished.push({ path: info.path, value: answer.part(pieces), isList: Array.isArray(found) });
      return Array.isArray(found) ? [] : null;
    } catch {
      return found;
    }
  };
}

/** Puts what was finished in its places in the data of a result. */
export function placeFinished(data: unknown, finished: readonly Finished[]): void {
  for (const { path, value, isList } of finished) {
    const parent = path.prev ? at(data, path.prev) : data;
    // Else an error has left null there, or above it.
    if (typeof parent !== 'object' || parent === null) continue;
    const place = parent as Record<string | number, unknown>;
    if (isList ? Array.isArray(place[path.key]) : place[path.key] === null) place[path.key] = value;
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

function writerOfField({ selectionSet }: FieldNode, info: GraphQLResolveInfo): Write | null {
  const type = itemOf(info.returnType);
  return type && selectionSet ? writerOfObject(type, selectionSet, info) : null;
}

function writerOfObject(
  type: GraphQLObjectType,
  selectionSet: SelectionSetNode,
  info: GraphQLResolveInfo,
): Write | null {
  const members: Member[] = [];
  if (!addMembers(members, selectionSet, type, info)) return null;
  const ofEntry = members.every(isOfEntry) ? new EntryWriter(members) : null;
  return (out, source) => {
    if (typeof source !== 'object' || source === null || !isHere(source))
      throw new TypeError(`expected an object, got ${typeof source}`);
    if (!(source instanceof StoredEntry)) writeObject(out, members, source as Record<string, unknown>);
    else if (ofEntry) ofEntry.write(out, source);
    else throw new TypeError('expected fields of an entry, got others');
    return true;
  };
}

function writeObject(out: GrowingBytes, members: readonly Member[], source: Record<string, unknown>): void {
  for (const { label, name, write } of members) {
    out.text(label);
    write(out, source[name]);
  }
  out.text(members.length === 0 ? '{}' : '}');
}

interface Member {
  /** In the result. */
  readonly key: string;
  /** In the source. */
  readonly name: string;
  /** What stands before the value: a brace or a comma, and the key. */
  readonly label: string;
  /** Of whatever object, the JSON of the value. */
  readonly always?: string;
  /** The field of an entry. */
  readonly field?: FieldName;
  readonly write: Write;
}

const isOfEntry = (member: Member): member is Member & EntryMember =>
  member.always !== undefined || member.field !== undefined;

/** False for a selection that is more than stored fields. */
function addMembers(
  members: Member[],
  selectionSet: SelectionSetNode,
  type: GraphQLObjectType,
  info: GraphQLResolveInfo,
): boolean {
  return everyField(selectionSet, info, (selection) => {
    const { value: name } = selection.name;
    const key = selection.alias?.value ?? name;
    if (members.some((other) => other.key === key)) return !selection.selectionSet;
    const label = `${members.length === 0 ? '{' : ','}${JSON.stringify(key)}:`;
    if (name === '__typename') {
      const always = JSON.stringify(type.name);
      members.push({ key, name, label, always, write: (out) => writeText(out, always) });
      return true;
    }
    const field = type.getFields()[name];
    const write = field && readsProperty(field) ? writerOf(field.type, selection, info) : null;
    if (!write) return false;
    const stored = STORED.get(name);
    members.push({ key, name, label, ...(stored && { field: stored }), write });
    return true;
  });
}

/** Of a leaf type, a plain object, or a list of them; null for another type. */
function writerOf(type: GraphQLOutputType, node: FieldNode, info: GraphQLResolveInfo): Write | null {
  if (isNonNullType(type)) {
    const write = writerOf(type.ofType as GraphQLOutputType, node, info);
    return (
      write &&
      ((out, value) => {
        if (!write(out, value)) throw new TypeError('expected a value, got null');
        return true;
      })
    );
  }
  if (isListType(type)) {
    const write = writerOf(type.ofType as GraphQLOutputType, node, info);
    return write && orNull((out, value) => writeItems(out, items(value), write));
  }
  if (isObjectType(type) && node.selectionSet) {
    const write = writerOfObject(type, node.selectionSet, info);
    return write && orNull(write);
  }
  if (!isLeafType(type)) return null;
  const leaf: GraphQLLeafType = type;
  return orNull((out, value) => {
    if (!isHere(value)) throw new TypeError(`expected a value, got ${typeof value}`);
    const text = JSON.stringify(leaf.serialize(value)) as string | undefined;
    if (text === undefined || text === 'null') throw new TypeError('expected a value, got null');
    return writeText(out, text);
  });
}

function writeItems(out: GrowingBytes, found: readonly unknown[], write: Write): boolean {
  for (const [index, item] of found.entries()) {
    out.text(index === 0 ? '[' : ',');
    write(out, item);
  }
  return writeText(out, found.length === 0 ? '[]' : ']');
}

function writeText(out: GrowingBytes, text: string): true {
  out.text(text);
  return true;
}

/** False for what graphql-js calls, awaits or reports. */
const isHere = (value: unknown): boolean =>
  typeof value === 'object'
    ? !(value instanceof Promise || value instanceof Error)
    : typeof value !== 'function';

const orNull =
  (write: Write): Write =>
  (out, value) => {
    if (value != null) return write(out, value);
    out.text('null');
    return false;
  };

/** Errors: TypeError for what is no list. */
function items(value: unknown): unknown[] {
  if (Array.isArray(value)) return Array.from(value as unknown[]);
  throw new TypeError(`expected a list, got ${typeof value}`);
}
