import { randomUUID } from 'node:crypto';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { ReelError } from '../errors.js';
import { LIMITS } from './limits.js';

export interface ErrorOptions {
  log: { error(details: object, message: string): void };
  /** Whether messages may say what else there is in the schema. */
  hints: boolean;
}

/** What was thrown at first, from under graphql-js's and Apollo's wrappers. */
export function causeOf(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

/**
 * Makes Apollo's `formatError`: deliberate errors as themselves, faults of the request as BAD_USER_INPUT in words that
 * repeat little of it, and of all others only an id under which the log has them.
 */
export const errorFormatter =
  ({ log, hints }: ErrorOptions) =>
  (formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError => {
    const cause = causeOf(error);
    if (cause instanceof ReelError) return { ...formatted, ...refusal(cause) };
    if (isRequestFault(formatted, error, cause)) {
      const code = PASSED_ON.has(String(formatted.extensions?.code))
        ? formatted.extensions?.code
        : 'BAD_USER_INPUT';
      const message = faultMessage(error, hints);
      return { ...formatted, message, extensions: { code } };
    }
    const errorId = randomUUID();
    log.error({ err: cause, errorId, path: formatted.path }, 'a GraphQL request failed');
    return { ...formatted, message: 'Internal server error', extensions: { code: INTERNAL, errorId } };
  };

const INTERNAL = 'INTERNAL_SERVER_ERROR';
/** Clients of Apollo's protocol for stored queries go by this word. */
const PASSED_ON: ReadonlySet<string> = new Set(['PERSISTED_QUERY_NOT_SUPPORTED']);

/** A deliberate error as GraphQL answers it; faults without what came, which their messages say in short. */
export function refusal(error: ReelError): { message: string; extensions: Record<string, unknown> } {
  const faults = error.faults.map(({ type, loc, msg }) => ({ type, loc, msg }));
  const extensions = { ...error.extensions, code: error.code };
  return { message: error.message, extensions: faults.length > 0 ? { ...extensions, faults } : extensions };
}

/** Whether the document, its variables or the HTTP request are at fault, as graphql-js and Apollo found. */
function isRequestFault(formatted: GraphQLFormattedError, error: unknown, cause: unknown): boolean {
  if (!(error instanceof GraphQLError)) return false;
  // Of what a field answers only an argument's value is the caller's: one given by a variable is looked at only then.
  if (error.path)
    return (
      cause instanceof GraphQLError &&
      (cause.extensions.code === 'BAD_USER_INPUT' || cause.message.startsWith('Argument "'))
    );
  const isNamed = formatted.extensions?.code !== undefined && formatted.extensions.code !== INTERNAL;
  return isNamed || error.nodes !== undefined || cause instanceof GraphQLError;
}

/** A message of graphql-js, and what stands at the end of one of Reel's own, are cut here: they may repeat what came. */
const MAX_MESSAGE = 200;
const MAX_CAME = 120;

function faultMessage(error: unknown, hints: boolean): string {
  const { message, extensions } = error as GraphQLError;
  if (/contains more tha\w \d+ tokens/.test(message))
    return `Expected a document of at most ${LIMITS.tokens} tokens, got more`;
  if (/^GraphQL introspection is not allowed/.test(message)) return 'Introspection is off here';
  // These are fixed words about the HTTP request.
  if (extensions.code === 'BAD_REQUEST') return message;
  const said = withoutValue(
    hints ? message : message.replace(/ ?Did you mean .*\?$/s, ''),
    error as GraphQLError,
  );
  const cause = causeOf(error);
  const isOwn = cause instanceof GraphQLError && cause.extensions.code === 'BAD_USER_INPUT';
  return isOwn ? said.replace(/(?<=, got ).*$/s, (came) => cut(came, MAX_CAME)) : cut(said, MAX_MESSAGE);
}

/** `Variable "$input" at "input.module": …` instead of the whole value that did not fit, of which the reason says enough. */
function withoutValue(said: string, { originalError }: GraphQLError): string {
  const reason = originalError?.message.slice(0, 60);
  const name = /^Variable "\$(\w+)" got invalid value /.exec(said)?.[1];
  const end = reason ? said.lastIndexOf(`; ${reason}`) : -1;
  if (name === undefined || end < 0) return said;
  const place = / at "([\w.[\]]+)"$/.exec(said.slice(0, end))?.[1];
  return `Variable "$${cut(place ?? name, MAX_CAME / 2)}": ${said.slice(end + 2)}`;
}

const cut = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1).toWellFormed()}…` : text;
