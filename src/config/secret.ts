import { closeSync, openSync, readSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { clip } from '../errors.js';
import { ConfigError, length } from './config-error.js';
import { itemsOf, type Kind, type Setting } from './setting.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Bytes of the largest file that is read. */
const MAX_FILE_BYTES = 64 * 1024;

/** What the environment says of a secret, a key or the address of a database. */
export interface GivenSecret<T> {
  /** Whether it stands in files, none of which is read before `read` is called. */
  readonly isInFile: boolean;
  /** The checked value. Errors: ConfigError. */
  read(): T;
}

const fileVariable = (variable: string): string => `${variable}_FILE`;

/** The variables that name a file with one of these settings' values. */
export const fileVariables = (settings: readonly Setting<unknown, unknown>[]): string[] =>
  settings.flatMap(({ secret, variable }) => (secret ? [fileVariable(variable)] : []));

/**
 * A secret stands in NAME itself, where each item of a list may be `file:` and a path, or in the file at NAME_FILE; null where
 * it stands nowhere. Errors: ConfigError where it stands in both.
 */
export function givenSecret<T>(
  { variable, kind }: { readonly variable: string; readonly kind: Kind<T> },
  environment: Environment,
): GivenSecret<T> | null {
  const direct = environment[variable] ?? '';
  const path = environment[fileVariable(variable)] ?? '';
  if (path !== '') {
    const named = fileVariable(variable);
    if (direct !== '')
      throw new ConfigError(named, `nothing, since ${variable} is given`, `the path ${clip(path)}`);
    const read = () => checked(kind, readText(path, named), named, true);
    return { isInFile: true, read };
  }
  if (direct === '') return null;
  const items = itemsOf(direct);
  if (!items.some(isReference))
    return { isInFile: false, read: () => checked(kind, direct, variable, false) };
  const textOf = (item: string) => (isReference(item) ? readText(pathOf(item, variable), variable) : item);
  return { isInFile: true, read: () => checked(kind, items.map(textOf).join(','), variable, true) };
}

function checked<T>(kind: Kind<T>, text: string, variable: string, isInFile: boolean): T {
  const read = kind.schema.safeParse(text);
  if (read.success) return read.data;
  const got = kind.isList ? itemsOf(text).map(length).join(' and ') : length(text);
  throw new ConfigError(variable, isInFile ? `a file with ${kind.expects}` : kind.expects, got || length(''));
}

const isReference = (item: string): boolean => item.startsWith('file:');

function pathOf(reference: string, variable: string): string {
  try {
    return reference.startsWith('file://') ? fileURLToPath(reference) : reference.slice('file:'.length);
  } catch {
    throw new ConfigError(variable, 'file: and the path of a file on this machine', clip(reference));
  }
}

/** What `env:NAME` or `file:PATH` names on this machine. Errors: ConfigError that names `variable`. */
export function readReference(reference: string, variable: string): string {
  if (!reference.startsWith('env:')) return readText(pathOf(reference, variable), variable);
  const name = reference.slice('env:'.length);
  const value = process.env[name] ?? '';
  if (value === '') throw new ConfigError(variable, `a value in the variable ${clip(name)}`, 'nothing');
  return value;
}

/** A file's text without the line break that editors and secret stores put at its end. */
function readText(path: string, variable: string): string {
  let bytes: Buffer;
  try {
    bytes = readBytes(path);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'no path';
    throw new ConfigError(variable, 'a readable file', `${why} for ${clip(path)}`);
  }
  if (bytes.length > MAX_FILE_BYTES)
    throw new ConfigError(variable, `a file of at most ${MAX_FILE_BYTES} bytes`, `more in ${clip(path)}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
  } catch {
    throw new ConfigError(
      variable,
      'a file of text in UTF-8',
      `${bytes.length} other bytes in ${clip(path)}`,
    );
  }
}

/** One byte more than allowed at most, also of a file without an end. */
function readBytes(path: string): Buffer {
  const bytes = Buffer.alloc(MAX_FILE_BYTES + 1);
  const file = openSync(path, 'r');
  try {
    let size = 0;
    for (let read = 1; read > 0 && size < bytes.length; size += read)
      read = readSync(file, bytes, size, bytes.length - size, null);
    return bytes.subarray(0, size);
  } finally {
    closeSync(file);
  }
}
