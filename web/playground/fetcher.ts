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
/** As GraphQL over HTTP has it; shown as it is. */
type Answer = ExecutionResult<Values, Values>;

/** The endpoint beside this page: /graphql, or below the prefix that a host gave both. */
const ENDPOINT = new URL('graphql', location.href).href;

/** Queries and mutations by POST, subscriptions as server-sent events; both with who is signed in. */
export const fetcher: Fetcher = (given, options) => {
  const operation = chosenOperation(given);
  const params = operation ? { ...given, operationName: operation.name?.value ?? null } : given;
  const headers = { ...credentials(currentSession()), ...options?.headers };
  return operation?.operation === OperationTypeNode.SUBSCRIPTION
    ? subscribe(params, headers)
    : post(params, headers);
};

/**
 * The operation to run, read from the text itself: what GraphiQL says of it lags behind the typing. Null where the text
 * is no document, which the server then says better.
 */
function chosenOperation({ query, operationName }: Params): OperationDefinitionNode | null {
  try {
    const document = parse(query);
    return getOperationAST(document, operationName) ?? getOperationAST(document) ?? null;
  } catch {
    return null;
  }
}

function subscribe(params: Params, headers: Record<string, string>): AsyncIterable<Answer> {
  const { query, variables, operationName } = params;
  const events = createClient({ url: ENDPOINT, headers, retryAttempts: 0 }).iterate<Values, Values>({
    query,
    ...(variables ? { variables: variables as Values } : {}),
    ...(operationName ? { operationName } : {}),
  });
  // No async generator: its return() would wait for the next event, and so would GraphiQL's stop button.
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => events.next().catch(async (error) => ({ value: await refusal(error), done: false })),
      return: async () => (await events.return?.()) ?? { value: undefined, done: true },
    }),
  };
}

/** Why a subscription could not be had, as GraphQL answers it. */
async function refusal(error: unknown): Promise<Answer> {
  if (error instanceof NetworkError && error.response instanceof Response) return readAnswer(error.response);
  return { errors: [new GraphQLError(error instanceof Error ? error.message : String(error))] };
}

async function post(params: Params, headers: Record<string, string>): Promise<Answer> {
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
  return readAnswer(response);
}

async function readAnswer(response: Response): Promise<Answer> {
  const type = response.headers.get('Content-Type') ?? 'no content type';
  if (/^application\/(graphql-response\+)?json\b/.test(type)) return (await response.json()) as Answer;
  const message = `Expected JSON from ${ENDPOINT}, got ${response.status} with ${type}`;
  return { errors: [new GraphQLError(message)] };
}
