import { type ApolloServerPlugin, HeaderMap } from '@apollo/server';
import { GraphQLError } from 'graphql';
import { type ErrorCode, ReelError } from '../errors.js';
import type { ReelContext } from './context.js';
import { causeOf } from './format-error.js';

const JSON_TYPE = 'application/json; charset=utf-8';
const RESPONSE_TYPE = 'application/graphql-response+json; charset=utf-8';

/**
 * What an Accept header likes best of what GraphQL over HTTP answers (RFC 9110, section 12.5.1), plain JSON where it
 * does not matter; null where it takes neither.
 */
export function answerType(accept: string | undefined): typeof JSON_TYPE | typeof RESPONSE_TYPE | null {
  if (accept === undefined || accept.trim() === '') return JSON_TYPE;
  const ranges = accept.split(',').map(readRange);
  const liking = (type: string) =>
    ranges
      .map(({ name, quality }, place) => ({ place, quality, exact: exactness(name, type) }))
      .filter(({ exact }) => exact > 0)
      .sort((a, b) => b.exact - a.exact || a.place - b.place)[0];
  const [json, response] = [liking('application/json'), liking('application/graphql-response+json')];
  const [likesJson, likesResponse] = [json?.quality ?? 0, response?.quality ?? 0];
  if (likesJson === 0 && likesResponse === 0) return null;
  if (likesJson !== likesResponse) return likesResponse > likesJson ? RESPONSE_TYPE : JSON_TYPE;
  if (json?.exact !== response?.exact)
    return (response?.exact ?? 0) > (json?.exact ?? 0) ? RESPONSE_TYPE : JSON_TYPE;
  return (response?.place ?? 0) < (json?.place ?? 0) ? RESPONSE_TYPE : JSON_TYPE;
}

function readRange(range: string): { name: string; quality: number } {
  const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
  const said = parameters.find((parameter) => parameter.startsWith('q='));
  const quality = said === undefined ? 1 : Number(said.slice(2));
  return { name, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** 3 for the type itself, 2 for all of its kind, 1 for anything, 0 for another type. */
function exactness(name: string, type: string): number {
  if (name === type) return 3;
  if (name === 'application/*') return 2;
  return name === '*/*' ? 1 : 0;
}

/** Refusals that are an HTTP answer of their own, whatever the media type; the first of them that occurs is answered. */
const STATUS: readonly (readonly [ErrorCode, number])[] = [
  ['UNAUTHENTICATED', 401],
  ['BAD_USER_INPUT', 422],
  ['OVERLOADED', 503],
  ['UNAVAILABLE', 503],
  ['TOO_MANY_REQUESTS', 429],
];

/** Status and headers of deliberate errors; undefined where they are errors of fields, which are 200. */
function headOf(errors: readonly ReelError[]): { status: number; headers: HeaderMap } | undefined {
  const about = errors.filter(
    ({ code, faults }) => code !== 'BAD_USER_INPUT' || faults.some(({ loc }) => loc[0] === 'header'),
  );
  const found = STATUS.find(([code]) => about.some((error) => error.code === code));
  if (!found) return undefined;
  const headers = new HeaderMap();
  const wait = Math.max(...about.map(({ retryAfter }) => retryAfter ?? 0));
  if (found[1] === 401) headers.set('www-authenticate', 'Bearer');
  else if (wait > 0) headers.set('retry-after', String(Math.ceil(wait)));
  return { status: found[1], headers };
}

/** What the context function throws, so that Apollo answers it with its own status. */
export function refuseCall(error: unknown): GraphQLError {
  const originalError = error instanceof Error ? error : new Error(String(error));
  const http =
    error instanceof ReelError
      ? (headOf([error]) ?? { status: error.status, headers: new HeaderMap() })
      : undefined;
  return new GraphQLError(originalError.message, { originalError, extensions: http ? { http } : {} });
}

/** Gives an answer the status and media type that GraphQL over HTTP asks for. */
export const answerPlugin: ApolloServerPlugin<ReelContext> = {
  requestDidStart: async () => ({
    async willSendResponse({ errors = [], request, response: { http } }) {
      const type = answerType(request.http?.headers.get('accept')) ?? JSON_TYPE;
      http.headers.set('content-type', type);
      const head = headOf(errors.map(causeOf).filter((cause) => cause instanceof ReelError));
      if (head) {
        http.status = head.status;
        for (const [name, value] of head.headers) http.headers.set(name, value);
      } else if (http.status === 400 && errors.every(({ extensions }) => extensions.code !== 'BAD_REQUEST')) {
        // The request itself was well formed: what is wrong is its document or its variables.
        http.status = type === RESPONSE_TYPE ? 400 : 200;
      }
    },
  }),
};
