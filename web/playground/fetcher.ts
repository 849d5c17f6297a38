import type { GraphiQLProps } from 'graphiql';
import {
  type ExecutionResult,
  GraphQLError,
  getOperationAST,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
} from 'graphql';
import { createClient, NetworkError } from 'graphql-sse';
import { credentials, currentSession } from './session.ts';

export type Fetcher = GraphiQLProps['fetcher'];
type Params = Parameters<Fetcher>[0];
type Values = Record<string, unknown>;
/** Shown as it came. */
type Result = ExecutionResult<Values, Values>;

/** Relative to this page, since a host may serve both under a prefix. */
const ENDPOINT = new URL('graphql', location.href).href;

/** Sends queries and mutations by POST and subscriptions as server-sent events, with the session's credentials. */
export const fetcher: Fetcher = (given, options) => {
  const operation = chosenOperation(given);
  const params = operation ? { ...given, operationName: operation.name?.value ?? null } : given;
  const headers = { ...credentials(currentSession()), ...options?.headers };
  return operation?.operation === OperationTypeNode.SUBSCRIPTION
    ? subscribe(params, headers)
    : post(params, headers);
};

/**
 * The operation to run, from the text itself: the one that GraphiQL passes lags behind typing. Null where the text does
 * not parse, which the server reports better.
 */
function chosenOperation({ query, operationName }: Params): OperationDefinitionNode | null {
  try {
    const document = parse(query);
    return getOperationAST(document, operationName) ?? getOperationAST(document) ?? null;
  } catch {
    return null;
  }
}

function subscribe(params: Params, headers: Record<string, string>): AsyncIterable<Result> {
  const { query, variables, operationName } = params;
  const events = createClient({ url: ENDPOINT, headers, retryAttempts: 0 }).iterate<Values, Values>({
    query,
    ...(variables ? { variables: variables as Values } : {}),
    ...(operationName ? { operationName } : {}),
  });
  // Not an async generator: its return() would wait for the next event, and so would GraphiQL's stop button.
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => events.next().catch(async (error) => ({ value: await toResult(error), done: false })),
      return: async () => (await events.return?.()) ?? { value: undefined, done: true },
    }),
  };
}

/** A failed subscription as a GraphQL result. */
async function toResult(error: unknown): Promise<Result> {
  if (error instanceof NetworkError && error.response instanceof Response)
    return readResponse(error.response);
  return { errors: [new GraphQLError(error instanceof Error ? error.message : String(error))] };
}

async function post(params: Params, headers: Record<string, string>): Promise<Result> {
  const response = await fetch(ENDPOINT, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/graphql-response+json, application/json',
      ...headers,
    },
    body: JSON.stringify(params),
    referrerPolicy: 'no-referrer',
  });
  return readResponse(response);
}

async function readResponse(response: Response): Promise<Result> {
  const type = response.headers.get('Content-Type') ?? 'no content type';
  if (/^application\/(graphql-response\+)?json\b/.test(type)) return (await response.json()) as Result;
  const message = `Expected JSON from ${ENDPOINT}, got ${response.status} with ${type}`;
  return { errors: [new GraphQLError(message)] };
}
