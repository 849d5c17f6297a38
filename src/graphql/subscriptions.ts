import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { ReelError } from '../errors.js';
import type { Caller } from '../http/request.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import { createContext, type PageSizes, type ReelContext, type Services } from './context.js';
import { checkCost } from './cost.js';
import { causeOf, type errorFormatter } from './format-error.js';
import { LIMITS, limitsRule } from './limits.js';
import { sharedWords } from './subscriptions-shared.js';

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

/** Where results go. */
export interface Receiver {
  /** Ends the tail. */
  signal: AbortSignal;
  /** Resolves once more may come, which is what keeps a slow receiver from being sent ahead to. */
  send(results: readonly string[]): Promise<void>;
}

/** Subscriptions under the same bounds as queries, whatever carries them. */
export class Subscriptions {
  private readonly rules;
  private readonly made = new WeakMap<LogEntry, Map<string, Promise<string>>>();

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

  /**
   * Sends the results of what was prepared, each as JSON text, until the tail ends. One that ends with an error ends with
   * a last result that says so, and the error is answered; null for one that was stopped.
   */
  async deliver(args: ExecutionArgs, receiver: Receiver): Promise<unknown> {
    const { signal } = receiver;
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) {
      await receiver.send([this.text(source)]);
      return source.errors?.[0] ?? null;
    }
    const batches = (source as AsyncIterable<readonly LogEntry[]>)[Symbol.asyncIterator]();
    const stop = () => void batches.return?.().catch(() => {});
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const execute = this.executor(args);
    try {
      for (;;) {
        const { done, value } = await batches.next();
        if (done || signal.aborted) return null;
        await receiver.send(await execute(value));
      }
    } catch (error) {
      const wrapped =
        error instanceof GraphQLError ? error : new GraphQLError('', { originalError: error as Error });
      await receiver.send([this.text({ errors: [wrapped] })]);
      return wrapped;
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }

  /** Makes results of entries. Those that hang on nothing but the entry are made once for all who ask in the same words. */
  private executor(args: ExecutionArgs): (entries: readonly LogEntry[]) => Promise<string[]> {
    const make = async (entry: LogEntry, contextValue: unknown) =>
      this.text(await execute({ ...args, rootValue: entry, contextValue }));
    const words = sharedWords(args);
    if (words === null)
      return (entries) => {
        const context = args.contextValue as ReelContext;
        const renewed = { ...context, loaders: context.loaders.renewed() };
        return Promise.all(entries.map((entry) => make(entry, renewed)));
      };
    return (entries) =>
      Promise.all(
        entries.map((entry) => {
          const made = this.made.get(entry) ?? new Map<string, Promise<string>>();
          this.made.set(entry, made);
          const text = made.get(words) ?? make(entry, args.contextValue);
          made.set(words, text);
          return text;
        }),
      );
  }

  errors(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
    return errors.map((error) => this.parts.format(error.toJSON(), error));
  }

  private text({ errors, ...result }: ExecutionResult): string {
    return JSON.stringify(errors ? { ...result, errors: this.errors(errors) } : result);
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
