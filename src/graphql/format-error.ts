import { randomUUID } from 'node:crypto';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { ReelError } from '../errors.js';
import { LIMITS } from './limits.js';
import { splitHint, valueMessage } from './value-errors.js';

export interface ErrorOptions {
  log: { error(details: object, message: string): void };
  /** Whether messages may suggest names from the schema. */
  hints: boolean;
  /** Told of each error that is answered: its code in lower case. */
  onRefused?: ((reason: string) => void) | undefined;
}

/** By error: the id of the request that it ended. */
const requests = new WeakMap<object, string>();

/** Notes whose errors these are, for the log. */
export function noteRequest(errors: readonly unknown[], requestId: string): void {
  for (const error of errors) if (error instanceof Object) requests.set(error, requestId);
}

/** The error that was thrown first, without graphql-js's and Apollo's wrappers. */
export function causeOf(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

/**
 * Makes Apollo's `formatError`. A ReelError keeps its code and message; an error of the request is BAD_USER_INPUT, and its
 * message repeats little of the request; any other is logged, and answered with its id in the log alone.
 */
export const errorFormatter = (options: ErrorOptions) => {
  const format = formatterOf(options);
  return (formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError => {
    const answered = format(formatted, error);
    options.onRefused?.(String(answered.extensions?.code).toLowerCase());
    return answered;
  };
};

const formatterOf =
  ({ log, hints }: ErrorOptions) =>
  (formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError => {
    const cause = causeOf(error);
    if (cause instanceof ReelError) return { ...formatted, ...formatReelError(cause) };
    if (isRequestError(formatted, error, cause)) {
      const code = PASSED_ON.has(String(formatted.extensions?.code))
        ? formatted.extensions?.code
        : 'BAD_USER_INPUT';
      const message = requestErrorMessage(error, hints);
      return { ...formatted, message, extensions: { code } };
    }
    const errorId = randomUUID();
    const requestId = error instanceof Object ? requests.get(error) : undefined;
    log.error({ err: cause, errorId, requestId, path: formatted.path }, 'a GraphQL request failed');
    return { ...formatted, message: 'Internal server error', extensions: { code: INTERNAL, errorId } };
  };

const INTERNAL = 'INTERNAL_SERVER_ERROR';
/** Apollo's clients go by this code for persisted queries. */
const PASSED_ON: ReadonlySet<string> = new Set(['PERSISTED_QUERY_NOT_SUPPORTED']);

/** Faults are without their input, which their messages quote in short. */
export function formatReelError(error: ReelError): { message: string; extensions: Record<string, unknown> } {
  const faults = error.faults.map(({ type, loc, msg }) => ({ type, loc, msg }));
  const extensions = { ...error.extensions, code: error.code };
  return { message: error.message, extensions: faults.length > 0 ? { ...extensions, faults } : extensions };
}

/** Whether graphql-js or Apollo found the document, its variables or the HTTP request invalid. */
function isRequestError(formatted: GraphQLFormattedError, error: unknown, cause: unknown): boolean {
  if (!(error instanceof GraphQLError)) return false;
  // Of field errors only those of arguments are the caller's: a variable's value is checked against an argument that late.
  if (error.path)
    return (
      cause instanceof GraphQLError &&
      (cause.extensions.code === 'BAD_USER_INPUT' || cause.message.startsWith('Argument "'))
    );
  const isNamed = formatted.extensions?.code !== undefined && formatted.extensions.code !== INTERNAL;
  return isNamed || error.nodes !== undefined || cause instanceof GraphQLError;
}

/** Where messages of graphql-js are cut, and the input at the end of Reel's own: either may repeat the request. */
const MAX_MESSAGE = 200;
const MAX_INPUT = 120;

function requestErrorMessage(error: unknown, hints: boolean): string {
  const { message, extensions } = error as GraphQLError;
  if (/contains more tha\w \d+ tokens/.test(message))
    return `Expected a document of at most ${LIMITS.tokens} tokens, got more`;
  if (message.startsWith('GraphQL introspection has been disabled'))
    return 'Introspection is off on this server';
  // Apollo's fixed messages about the HTTP request.
  if (extensions.code === 'BAD_REQUEST') return message;
  const cause = causeOf(error);
  const reason = cause instanceof GraphQLError ? cause.message : message;
  const named = valueMessage(error as GraphQLError, reason, hints);
  if (named !== null) return named;
  const shortened = hints ? message : splitHint(message)[0];
  const isOwn = cause instanceof GraphQLError && cause.extensions.code === 'BAD_USER_INPUT';
  return isOwn
    ? shortened.replace(/(?<=, got ).*$/s, (input) => cut(input, MAX_INPUT))
    : cut(shortened, MAX_MESSAGE);
}

const cut = (text: string, max: number): string =>
  text.length > max ? `${text.slice(0, max - 1).toWellFormed()}…` : text;
