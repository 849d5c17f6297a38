import { InvalidArgumentError } from 'commander';
import { StartError } from '../errors.js';
import { parseUuid } from '../query-line/values.js';

/** Parsers of option values; commander shows their errors with the option's name, and exits with 2. */

export function uuidOption(text: string): string {
  const id = parseUuid(text);
  if (id === null) throw new InvalidArgumentError('Expected a UUID.');
  return id;
}

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
