import { type ApolloServerPlugin, HeaderMap, type HTTPGraphQLHead } from '@apollo/server';
import type { FormattedExecutionResult, GraphQLError } from 'graphql';
import { type Allowance, type ErrorCode, ReelError } from '../errors.js';
import { rateLimitHeaders } from '../http/rate-limit.js';
import type { ReelContext } from './context.js';
import { causeOf, formatReelError } from './format-error.js';
import { placeFinished } from './plain-fields.js';

const JSON_TYPE = 'application/json; charset=utf-8';
const RESPONSE_TYPE = 'application/graphql-response+json; charset=utf-8';

/**
 * The media type of GraphQL over HTTP that an Accept header prefers (RFC 9110, section 12.5.1), application/json where it
 * has no preference; null where it accepts neither.
 */
export function negotiateType(accept: string | undefined): typeof JSON_TYPE | typeof RESPONSE_TYPE | null {
  if (accept === JSON_TYPE || accept === RESPONSE_TYPE) return accept;
  if (accept === undefined || accept.trim() === '') return JSON_TYPE;
  const ranges = accept.split(',').map(parseRange);
  /** The most specific range that matches a type, the first of several. */
  const match = (type: string) =>
    ranges
      .map(({ name, quality }, index) => ({ index, quality, specificity: specificityOf(name, type) }))
      .filter(({ specificity }) => specificity > 0)
      .sort((a, b) => b.specificity - a.specificity || a.index - b.index)[0];
  const [json, response] = [match('application/json'), match('application/graphql-response+json')];
  const [jsonQuality, responseQuality] = [json?.quality ?? 0, response?.quality ?? 0];
  if (jsonQuality === 0 && responseQuality === 0) return null;
  if (jsonQuality !== responseQuality) return responseQuality > jsonQuality ? RESPONSE_TYPE : JSON_TYPE;
  if (json?.specificity !== response?.specificity)
    return (response?.specificity ?? 0) > (json?.specificity ?? 0) ? RESPONSE_TYPE : JSON_TYPE;
  return (response?.index ?? 0) < (json?.index ?? 0) ? RESPONSE_TYPE : JSON_TYPE;
}

function parseRange(range: string): { name: string; quality: number } {
  const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  const quality = weight === undefined ? 1 : Number(weight.slice(2));
  return { name, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** 3 for the type itself, 2 for its subtype wildcard, 1 for any type, 0 for no match. */
function specificityOf(name: string, type: string): number {
  if (name === type) return 3;
  if (name === 'application/*') return 2;
  return name === '*/*' ? 1 : 0;
}

/** Errors that set the HTTP status, whatever the media type; the first that occurs does. */
const STATUS: readonly (readonly [ErrorCode, number])[] = [
  ['UNAUTHENTICATED', 401],
  ['BAD_USER_INPUT', 422],
  ['OVERLOADED', 503],
  ['UNAVAILABLE', 503],
  ['TOO_MANY_REQUESTS', 429],
];

/** Status and headers for these errors; undefined where they are field errors, which are answered with 200. */
function headOf(errors: readonly ReelError[]): { status: number; headers: HeaderMap } | undefined {
  const ofRequest = errors.filter(
    ({ code, faults }) => code !== 'BAD_USER_INPUT' || faults.some(({ loc }) => loc[0] === 'header'),
  );
  const found = STATUS.find(([code]) => ofRequest.some((error) => error.code === code));
  if (!found) return undefined;
  const headers = new HeaderMap();
  const wait = Math.max(...ofRequest.map(({ retryAfter }) => retryAfter ?? 0));
  if (found[1] === 401) headers.set('www-authenticate', 'Bearer');
  else if (wait > 0) headers.set('retry-after', String(Math.ceil(wait)));
  for (const { allowance } of ofRequest) setAllowance(headers, allowance);
  return { status: found[1], headers };
}

function setAllowance(headers: HeaderMap, allowance: Allowance | undefined): void {
  if (allowance)
    for (const [name, value] of Object.entries(rateLimitHeaders(allowance))) headers.set(name, value);
}

/** The status and headers of a request that is refused for one error alone, before anything of it is executed. */
export function refusalHead(error: unknown): { status: number; headers: Record<string, string> } {
  if (!(error instanceof ReelError)) return { status: 500, headers: {} };
  const { status, headers } = headOf([error]) ?? { status: 400, headers: [] };
  return { status, headers: Object.fromEntries(headers) };
}

/** The text of each response, by its context: Apollo itself would make it in one go. */
const texts = new WeakMap<ReelContext['answer'], readonly Buffer[]>();

export const textOf = (answer: ReelContext['answer']): readonly Buffer[] | undefined => texts.get(answer);

type Result = Pick<FormattedExecutionResult, 'errors' | 'data' | 'extensions'>;

/** Writes the response, within the bounds of an answer; where it is past them, one that says so. */
export const answerPlugin: ApolloServerPlugin<ReelContext> = {
  requestDidStart: async () => ({
    async willSendResponse({ response: { body, http }, contextValue }) {
      if (body.kind !== 'single') return;
      const result = body.singleResult;
      body.singleResult = {};
      texts.set(contextValue.answer, await writeResult(http, result, contextValue));
    },
  }),
};

/** The text of a result, in pieces; within the bounds of an answer, else one that says so, whose status and headers are set. */
export async function writeResult(
  http: HTTPGraphQLHead,
  { errors, data, extensions }: Result,
  { answer, finished = [] }: ReelContext,
): Promise<readonly Buffer[]> {
  placeFinished(data, finished);
  try {
    return await answer.write({ errors, data, extensions });
  } catch (error) {
    if (!(error instanceof ReelError)) throw error;
    const head = headOf([error]);
    if (head) setStatus(http, head);
    else if (http.headers.get('content-type') === RESPONSE_TYPE) http.status = 400;
    return [Buffer.from(JSON.stringify({ errors: [formatReelError(error)] }))];
  }
}

/** Sets the status and the media type of a response as GraphQL over HTTP has them. */
export const responsePlugin: ApolloServerPlugin<ReelContext> = {
  requestDidStart: async () => ({
    async willSendResponse({ errors, request, response: { http }, contextValue }) {
      setHead(http, { errors, accept: request.http?.headers.get('accept'), contextValue });
    },
  }),
};

interface HeadInput {
  readonly errors: readonly GraphQLError[] | undefined;
  readonly accept: string | undefined;
  readonly contextValue: ReelContext;
}

export function setHead(http: HTTPGraphQLHead, { errors = [], accept, contextValue }: HeadInput): void {
  const type = negotiateType(accept) ?? JSON_TYPE;
  http.headers.set('content-type', type);
  setAllowance(http.headers, contextValue.allowance);
  const head = headOf(errors.map(causeOf).filter((cause) => cause instanceof ReelError));
  if (head) setStatus(http, head);
  else if (http.status === 400 && errors.every(({ extensions }) => extensions.code !== 'BAD_REQUEST')) {
    // A well-formed request whose document or variables are invalid.
    http.status = type === RESPONSE_TYPE ? 400 : 200;
  }
}

function setStatus(http: HTTPGraphQLHead, { status, headers }: { status: number; headers: HeaderMap }): void {
  http.status = status;
  for (const [name, value] of headers) http.headers.set(name, value);
}
