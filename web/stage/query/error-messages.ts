/** Messages of QueryLineError, with the keys of their translations. */
const PATTERNS: readonly [RegExp, string][] = [
  [/^unknown field (`.*`), did you mean (`.*`)\?/s, 'unknown'],
  [/^expected one of (.*), got (`.*`)$/s, 'oneOf'],
  [/^expected a closing " for the quote opened at position (\d+)$/, 'unclosed'],
  [/^expected a value after (`.*`)$/s, 'noValue'],
  [/^expected no empty value in (`.*`)$/s, 'emptyItem'],
  [/^expected (`.*`) only once$/s, 'twice'],
  [/^expected (`.*`) without -, since only module and action can be negated$/s, 'notNegatable'],
  [/^expected one value after (`.*`); put one with a comma in quotes$/s, 'oneValue'],
  [/^expected (`.*`), since only severity takes >=$/s, 'onlySeverity'],
  [
    /^expected a field after -, since text cannot be negated; in quotes, (`.*`), it is searched for$/s,
    'negatedText',
  ],
  [/^expected white space between quoted and other text in (`.*`)$/s, 'touching'],
  [/^expected text between the quotes$/, 'emptyText'],
  [/^expected at most (\d+) characters(?: in (`.*`))?$/s, 'tooLong'],
  [/^expected at most (\d+) terms$/, 'tooManyTerms'],
  [/^expected at most (\d+) values.*, got (\d+)$/s, 'tooManyValues'],
  [/^expected a date .*, got (`.*`)$/s, 'time'],
  [/^expected an IP address .*, got (`.*`)$/s, 'ip'],
  [/^expected a user id .*, got (`.*`)$/s, 'actor'],
  [/^expected user ids .*, got (`.*`)$/s, 'actors'],
  [/^expected a client id .*, got (`.*`)$/s, 'id'],
  [/^expected a request id .*, got (`.*`)$/s, 'id'],
];

/** A query line's error in the page's language; unchanged where it matches no pattern. */
export function translateQueryError(
  message: string,
  t: (key: string, named: Record<string, string>) => string,
): string {
  for (const [pattern, key] of PATTERNS) {
    const match = pattern.exec(message);
    if (match) return t(`queryErrors.${key}`, { a: match[1] ?? '', b: match[2] ?? '' });
  }
  return message;
}
