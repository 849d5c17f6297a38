import { HeaderMap, type HTTPGraphQLHead } from '@apollo/server';
import {
  type DocumentNode,
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
import { placeVariableErrors } from './value-errors.js';

interface KnownOptions {
  readonly schema: GraphQLSchema;
  /** Those that Apollo has found valid. */
  readonly documents: Pick<Documents, 'get'>;
  readonly formatError: (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError;
}

interface KnownRequest {
  readonly body: unknown;
  /** Its header. */
  readonly accept: string | undefined;
}

interface KnownAnswer {
  readonly http: HTTPGraphQLHead;
  /** The body, in pieces. */
  readonly pieces: readonly Buffer[];
}

interface KnownOperation {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly operationName: string | null | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * Executes the operation of a POST's body whose document was found valid before, and answers as Apollo would, whose way to the resolvers
 * takes longer than most resolvers do. Null for everything else, and for what is refused before it is executed, but for variables that graphql-js refuses: that is
 * Apollo's. No resolver sets the status of an answer by its error's extensions, as Apollo would let it.
 */
export async function executeKnown(
  { schema, documents, formatError }: KnownOptions,
  { body, accept }: KnownRequest,
  contextValue: ReelContext,
): Promise<KnownAnswer | null> {
  const known = operationOf(documents, body);
  if (!known) return null;
  const { document, operation, operationName, variables } = known;
  let variableValues: Record<string, unknown>;
  try {
    checkSize(document, operation);
    checkCost({ schema, document, operation, variables, pageSizes: contextValue.pageSizes });
    variableValues = abridgeVariables(schema, operation, variables);
  } catch {
    return null;
  }
  const result = await execute({ schema, document, operationName, variableValues, contextValue });
  const { errors, data, extensions } = result;
  // Without data its variables are not as the operation declares them, and nothing was executed.
  const http: HTTPGraphQLHead = { headers: new HeaderMap(), ...(data === undefined && { status: 400 }) };
  if (errors) {
    noteRequest(errors, contextValue.caller.requestId);
    placeVariableErrors(errors, { schema, operation, variables: variableValues });
  }
  const formatted = errors?.map((error) => formatError(withCode(error), error));
  setHead(http, { errors, accept, contextValue });
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
  return { document, operation, operationName, variables: variables ?? {} };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** As Apollo hands an error to its `formatError`. */
function withCode(error: GraphQLError): GraphQLFormattedError {
  const formatted = error.toJSON();
  return { ...formatted, extensions: { code: 'INTERNAL_SERVER_ERROR', ...formatted.extensions } };
}
