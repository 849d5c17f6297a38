import { InvalidArgumentError } from 'commander';
import { StartError } from '../errors.js';
import { isEmailAddress, parseUuid } from '../query-line/values.js';

/** Parsers of option values; commander shows their errors with the option's name, and exits with 2. */

export function uuidOption(text: string): string {
  const id = parseUuid(text);
  if (id === null) throw new InvalidArgumentError('Expected a UUID.');
  return id;
}

const MAX_ID = 255;

/** The id of an actor, as it is stored: a UUID in lower case. `hint`: what to do about an e-mail address, which is none. */
export const actorIdOption =
  (hint: string) =>
  (text: string): string => {
    if (text === '' || [...text].length > MAX_ID || /\p{Cc}/u.test(text) || !text.isWellFormed())
      throw new InvalidArgumentError(`Expected an id of 1 to ${MAX_ID} characters, no control characters.`);
    if (isEmailAddress(text))
      throw new InvalidArgumentError(`Expected an id, which an e-mail address never is${hint}.`);
    return parseUuid(text) ?? text;
  };

/** Options that exclude each other. */
export const conflicting = (flags: readonly string[]): StartError =>
  new StartError(
    `expected one of ${flags.slice(0, -1).join(', ')} and ${flags.at(-1)}, got ${flags.length === 2 ? 'both' : `all ${flags.length}`}`,
  );

export const uuidsOption = (text: string, before: string[] = []): string[] => [...before, uuidOption(text)];

export const textsOption = (text: string, before: string[] = []): string[] => [...before, text];

export const integerOption =
  (min: number, max: number) =>
  (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`Expected an integer from ${min} to ${max}.`);
    return value;
  };

export const textOption =
  (max: number) =>
  (text: string): string => {
    if (text === '' || [...text].length > max || /\p{Cc}/u.test(text))
      throw new InvalidArgumentError(`Expected 1 to ${max} characters, no control characters.`);
    return text;
  };

/**
 * A required option. Not commander's requiredOption, which would report a misspelt option as missing instead of naming
 * the misspelling.
 */
export function required<T>(value: T | undefined, flags: string): T {
  if (value === undefined) throw new StartError(`${flags} is required`);
  return value;
}
