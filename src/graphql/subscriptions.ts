import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  subscribe,
  validate,
} from 'graphql';
import { ReelError } from '../errors.js';
import type { Caller } from '../request.js';
import { createContext, type PageSizes, type Services } from './context.js';
import { checkCost } from './cost.js';
import { causeOf, type errorFormatter } from './format-error.js';
import { LIMITS, limitsRule } from './limits.js';

/** What a client asks for over a websocket or as an event stream. */
export interface SubscriptionRequest {
  query: string;
  variables?: Record<string, unknown> | null | undefined;
  operationName?: string | null | undefined;
}

export interface SubscriptionParts {
  schema: GraphQLSchema;
  services: Services;
  pageSizes: PageSizes;
  introspection: boolean;
  format: ReturnType<typeof errorFormatter>;
}

/** Subscriptions under the same bounds as queries, whatever carries them. */
export class Subscriptions {
  private readonly rules;

  constructor(private readonly parts: SubscriptionParts) {
    this.rules = [
      ...specifiedRules,
      limitsRule,
      ...(parts.introspection ? [] : [NoSchemaIntrospectionCustomRule]),
    ];
  }

  /** What is to be executed, or what is wrong with the request. */
  prepare(request: SubscriptionRequest, caller: Caller): ExecutionArgs | readonly GraphQLError[] {
    const { schema, services, pageSizes } = this.parts;
    let document: DocumentNode;
    try {
      document = parse(request.query, { maxTokens: LIMITS.tokens });
    } catch (error) {
      return [error as GraphQLError];
    }
    const faults = validate(schema, document, this.rules, { maxErrors: 20 });
    if (faults.length > 0) return faults;
    const operation = getOperationAST(document, request.operationName);
    if (operation?.operation !== 'subscription')
      return [refused('Expected a subscription', operation?.operation ?? 'none')];
    const variables = request.variables ?? {};
    try {
      checkCost({ schema, document, operation, variables, pageSizes });
    } catch (error) {
      return [error as GraphQLError];
    }
    return {
      schema,
      document,
      operationName: request.operationName,
      variableValues: variables,
      contextValue: createContext(caller, services, pageSizes),
    };
  }

  /** Results ready for the wire. A tail that ends with an error ends with a last result that says so; `onEnd` is told the error. */
  async *run(
    args: ExecutionArgs,
    onEnd: (error: unknown) => void = () => {},
  ): AsyncGenerator<ExecutionResult> {
    const source = await subscribe(args);
    if (!(Symbol.asyncIterator in source)) {
      yield this.formatted(source);
      onEnd(source.errors?.[0]);
      return;
    }
    try {
      for await (const result of source) yield this.formatted(result);
    } catch (error) {
      const wrapped =
        error instanceof GraphQLError ? error : new GraphQLError('', { originalError: error as Error });
      yield this.formatted({ errors: [wrapped] });
      onEnd(wrapped);
    }
  }

  errors(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
    return errors.map((error) => this.parts.format(error.toJSON(), error));
  }

  /** Formatted, and as GraphQLErrors again, since what carries results asks each for its JSON. */
  private formatted({ errors, ...result }: ExecutionResult): ExecutionResult {
    if (!errors) return result;
    const said = this.errors(errors);
    return {
      ...result,
      errors: said.map(
        ({ message, ...rest }) => new GraphQLError(message, { extensions: rest.extensions, path: rest.path }),
      ),
    };
  }
}

/** Close codes of a websocket as graphql-transport-ws has them: 4401 for a credential that does not or no longer hold, 4403 for a grant, 4503 otherwise. */
export function closeCode(error: unknown): { code: number; reason: string } {
  const cause = causeOf(error);
  if (cause instanceof ReelError && cause.code === 'UNAUTHENTICATED')
    return { code: 4401, reason: 'Unauthorized' };
  if (cause instanceof ReelError && cause.code === 'FORBIDDEN') return { code: 4403, reason: 'Forbidden' };
  if (cause instanceof ReelError && cause.code === 'BAD_USER_INPUT')
    return { code: 4400, reason: cause.message.slice(0, 100) };
  return { code: 4503, reason: 'Unavailable' };
}

const refused = (expected: string, came: string) =>
  new GraphQLError(`${expected}, got ${came}`, { extensions: { code: 'BAD_USER_INPUT' } });
