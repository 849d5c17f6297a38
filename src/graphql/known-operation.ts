import { HeaderMap, type HTTPGraphQLHead } from '@apollo/server';
import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  type GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
} from 'graphql';
import { abridgeVariables } from './abridge.js';
import type { ReelContext } from './context.js';
import { checkCost } from './cost.js';
import type { Documents } from './documents.js';
import { noteRequest } from './format-error.js';
import { checkSize } from './limits.js';
import { setHead, writeResult } from './response.js';

export interface KnownOptions {
  readonly schema: GraphQLSchema;
  /** Those that Apollo has found valid. */
  readonly documents: Pick<Documents, 'get'>;
  readonly formatError: (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError;
}

export interface KnownRequest {
  readonly body: unknown;
  /** Its header. */
  readonly accept: string | undefined;
}

export interface Response {
  readonly http: HTTPGraphQLHead;
  /** The body, in pieces. */
  readonly pieces: readonly Buffer[];
}

interface KnownOperation {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly operationName: string | null | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Executes the operation of a POST's body whose document was found valid before, and answers as Apollo would, whose way to the resolvers
 * takes several times as long as most of them. Null for everything else, and for what is refused before any of it is executed: that is Apollo's.
 */
export async function executeKnown(
  { schema, documents, formatError }: KnownOptions,
  { body, accept }: KnownRequest,
  contextValue: ReelContext,
): Promise<Response | null> {
  const known = operationOf(documents, body);
  if (!known) return null;
  const { document, operation, operationName, variables } = known;
  try {
    checkSize(document, operation);
    checkCost({ schema, document, operation, variables, pageSizes: contextValue.pageSizes });
  } catch {
    return null;
  }
  const { errors, data, extensions }: ExecutionResult = await execute({
    schema,
    document,
    operationName,
    variableValues: variables && abridgeVariables(schema, operation, variables),
    contextValue,
  });
  // Its variables are not as the operation declares them.
  if (data === undefined) return null;
  const http: HTTPGraphQLHead = { headers: new HeaderMap() };
  setHead(http, { errors, accept, contextValue });
  noteRequest(errors ?? [], contextValue.caller.requestId);
  const formatted = errors?.map((error) => formatError(withCode(error), error));
  return { http, pieces: await writeResult(http, { errors: formatted, data, extensions }, contextValue) };
}

/** Null unless it is of such a form that Apollo would execute it. */
function operationOf(documents: KnownOptions['documents'], body: unknown): KnownOperation | null {
  if (!isRecord(body)) return null;
  const { query, operationName, variables, extensions } = body;
  if (typeof query !== 'string' || (operationName != null && typeof operationName !== 'string')) return null;
  if ((variables != null && !isRecord(variables)) || (extensions != null && !isRecord(extensions)))
    return null;
  if (extensions?.persistedQuery) return null;
  const document = documents.get(query);
  const operation = document && getOperationAST(document, operationName);
  if (!operation || operation.operation === 'subscription') return null;
  return { document, operation, operationName, variables: variables ?? undefined };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** As Apollo hands an error to its `formatError`. */
function withCode(error: GraphQLError): GraphQLFormattedError {
  const formatted = error.toJSON();
  return { ...formatted, extensions: { code: 'INTERNAL_SERVER_ERROR', ...formatted.extensions } };
}
