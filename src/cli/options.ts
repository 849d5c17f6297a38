import { InvalidArgumentError } from 'commander';
import { StartError } from '../errors.js';
import { parseUuid } from '../query-line/values.js';

/** Readers of options' values; what they throw commander shows beside the option's name, with exit code 2. */

export function uuidOption(text: string): string {
  const id = parseUuid(text);
  if (id === null) throw new InvalidArgumentError('Expected a UUID.');
  return id;
}

export const uuidsOption = (text: string, before: string[] = []): string[] => [...before, uuidOption(text)];

export const textsOption = (text: string, before: string[] = []): string[] => [...before, text];

export const integerOption =
  (least: number, most: number) =>
  (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most))
      throw new InvalidArgumentError(`Expected an integer from ${least} to ${most}.`);
    return value;
  };

export const textOption =
  (most: number) =>
  (text: string): string => {
    if (text === '' || [...text].length > most || /\p{Cc}/u.test(text))
      throw new InvalidArgumentError(`Expected 1 to ${most} characters, no control characters.`);
    return text;
  };

/**
 * An option that must be given. Not commander's own way, which would name the missing one where another name of it was
 * given, instead of the mistake in that.
 */
export function needed<T>(value: T | undefined, flags: string): T {
  if (value === undefined) throw new StartError(`${flags} is required`);
  return value;
}
