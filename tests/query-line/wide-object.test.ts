import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readJson } from '../../src/http/json.js';
import { namesOf } from '../../src/query-line/wide-object.js';

/** An object's text, past what is read at once, and so past what is wide. */
const textOf = (names: readonly string[]): string => {
  const rest = Array.from({ length: 90_000 }, (_, at) => `"name ${at}":${at}`);
  return `{${[...rest.slice(0, 10_000), ...names.map((name) => `${JSON.stringify(name)}:0`), ...rest.slice(10_000)].join()}}`;
};

test('names of a wide object are those that Object.keys has', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'name 5', 'constructor', '7', '-1')), {
        maxLength: 4,
      }),
      async (names) => {
        const { value } = await readJson(textOf(names));
        expect(namesOf(value as object)).toEqual(Object.keys(value as object));
      },
    ),
    { numRuns: 8 },
  ));
