import { mapAsyncIterator } from '@whatwg-node/promise-helpers';
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  getOperationAST,
  isLeafType,
  isObjectType,
  parse,
  print,
  separateOperations,
  visit,
} from 'graphql';
import { accountOf } from '../auth/caller.js';
import { Turns } from '../database/turns.js';
import { overloaded, ReelError } from '../errors.js';
import type { Answer, Answers } from '../http/answer.js';
import type { Caller, IncomingCall } from '../http/request.js';
import { takeTurn } from '../time-slice.js';
import { abridgeVariables } from './abridge.js';
import { createContext, type PageSizes } from './context.js';
import { checkCost } from './cost.js';
import { type errorFormatter, noteRequest } from './format-error.js';
import { badRequest, checkSize, LIMITS } from './limits.js';
import type { Services } from './services.js';
import type { ValidateDocument } from './validation.js';
import { type CoercedOperation, placeVariableErrors } from './value-errors.js';

export interface SubscriptionRequest {
  query: string;
  variables?: Record<string, unknown> | null | undefined;
  operationName?: string | null | undefined;
}

/** What a transport of subscriptions needs. */
export interface TransportOptions {
  subscriptions: Subscriptions;
  /** Errors: UNAUTHENTICATED, BAD_USER_INPUT, UNAVAILABLE. */
  readCaller: (call: IncomingCall) => Caller | Promise<Caller>;
}

export interface SubscriptionOptions {
  schema: GraphQLSchema;
  services: Services;
  answers: Answers;
  pageSizes: PageSizes;
  validateDocument: ValidateDocument;
  format: ReturnType<typeof errorFormatter>;
}

/** Subscriptions at once, of a server and of a person, over websockets and as event streams together. */
const [MOST, MOST_OF_A_PERSON] = [5_000, 200];

type PreparedSubscription = ExecutionArgs & CoercedOperation & { readonly answer: Answer };
/** Of one result. */
const MAX_EVENT_BYTES = 4 * 1_048_576;

type MaybePromise<T> = T | Promise<T>;

/** A result that any number of subscriptions may share. */
export class SubscriptionResult implements ExecutionResult {
  readonly #json: string | undefined;

  /** `json`: its text, where that is made already. */
  constructor(
    readonly errors: readonly GraphQLError[] | undefined,
    readonly data?: ExecutionResult['data'],
    json?: string,
  ) {
    this.#json = json;
  }

  /** As JSON text. */
  get json(): string {
    return this.#json ?? JSON.stringify(this);
  }
}

/** Executes subscriptions, within the same bounds as queries, for any transport. All errors are formatted. */
export class Subscriptions {
  private readonly turns = new Turns(
    { atOnce: MOST, atOncePerKey: MOST_OF_A_PERSON, waitingPerKey: 0 },
    overloaded,
  );
  /** By entry, then by selection. */
  private readonly shared = new WeakMap<object, Map<string, MaybePromise<SubscriptionResult>>>();

  constructor(private readonly options: SubscriptionOptions) {}

  /**
   * The results of a subscription, or what is wrong with the request. Does what graphql-js's `subscribe` does, with two
   * differences. A result that depends on nothing but the entry is made once for all subscriptions with the same selection.
   * And where the source stream cannot be opened, or fails, a last result says why: it has errors and no data. It counts as
   * one of the person's until its results have ended or were returned; past their number the errors are OVERLOADED.
   */
  async subscribe(
    request: SubscriptionRequest,
    caller: Caller,
  ): Promise<AsyncIterableIterator<SubscriptionResult> | readonly GraphQLError[]> {
    const format = (error: unknown) => this.formatError(error, caller.requestId);
    await takeTurn(accountOf(caller));
    const args = this.prepare(request, caller);
    if (!('document' in args)) return args.map(format);
    const endTurn = this.turns.takeNow(keyOf(caller));
    if (endTurn === null) {
      args.answer.end();
      return [format(overloaded(this.turns.atOnce < MOST ? TOO_MANY : TOO_MANY_IN_ALL, RETRY_SECONDS))];
    }
    const end = () => {
      args.answer.end();
      endTurn();
    };
    try {
      return endingWith(await this.open(args, format), end);
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Open subscriptions. */
  get length(): number {
    return this.turns.atOnce;
  }

  private async open(
    args: PreparedSubscription,
    format: (error: unknown) => GraphQLError,
  ): Promise<AsyncIterableIterator<SubscriptionResult>> {
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) {
      placeVariableErrors(source.errors ?? [], args);
      return only(new SubscriptionResult(source.errors?.map(format), source.data));
    }
    return mapAsyncIterator(
      source,
      this.executor(args, format),
      (error: unknown) => new SubscriptionResult([format(error)]),
    );
  }

  private prepare(
    request: SubscriptionRequest,
    caller: Caller,
  ): PreparedSubscription | readonly GraphQLError[] {
    const { schema, services, pageSizes, answers, validateDocument } = this.options;
    const { query, operationName } = request;
    const variables = request.variables ?? {};
    try {
      const parsed = parse(query, { maxTokens: LIMITS.tokens });
      const errors = validateDocument(parsed);
      if (errors.length > 0) return errors;
      const operation = getOperationAST(parsed, operationName);
      if (!operation) return [noOperation(operationName)];
      if (operation.operation !== 'subscription') return [badRequest('a subscription', operation.operation)];
      const document = separateOperations(parsed)[operation.name?.value ?? ''] ?? parsed;
      checkSize(document, operation);
      checkCost({ schema, document, operation, variables, pageSizes });
      const answer = answers.begin(MAX_EVENT_BYTES);
      const contextValue = createContext(caller, services, pageSizes, answer);
      return {
        answer,
        schema,
        document,
        operation,
        operationName,
        variables,
        variableValues: abridgeVariables(schema, operation, variables),
        contextValue,
      };
    } catch (error) {
      if (error instanceof GraphQLError) return [error];
      throw error;
    }
  }

  private executor(
    { answer, ...args }: PreparedSubscription,
    format: (error: unknown) => GraphQLError,
  ): (entry: unknown) => MaybePromise<SubscriptionResult> {
    const run = async (entry: unknown) => {
      answer.reset();
      const { errors: thrown, data } = await execute({ ...args, rootValue: entry });
      const errors = thrown?.map(format);
      try {
        const chunks = await answer.write({ errors, data });
        return new SubscriptionResult(errors, data, Buffer.concat(chunks).toString());
      } catch (error) {
        if (!(error instanceof ReelError)) throw error;
        return new SubscriptionResult([format(error)]);
      }
    };
    const selection = sharedSelection(args);
    if (selection === null) return run;
    return (entry) => {
      if (!(entry instanceof Object)) return run(entry);
      const results = this.shared.get(entry) ?? new Map<string, MaybePromise<SubscriptionResult>>();
      const present = results.get(selection);
      if (present) return present;
      const running = run(entry).then((result) => {
        results.set(selection, result);
        return result;
      });
      this.shared.set(entry, results.set(selection, running));
      return running;
    };
  }

  /** Logs what is not meant for the caller. */
  readonly formatError = (thrown: unknown, requestId?: string): GraphQLError => {
    const error =
      thrown instanceof GraphQLError ? thrown : new GraphQLError('', { originalError: thrown as Error });
    if (requestId !== undefined) noteRequest([error], requestId);
    const { message, extensions } = this.options.format(error.toJSON(), error);
    const { nodes, source, positions, path } = error;
    return new GraphQLError(message, { nodes, source, positions, path, extensions });
  };
}

/** As graphql-js says it where it executes. */
const noOperation = (name: string | null | undefined): GraphQLError =>
  new GraphQLError(
    name == null
      ? 'Must provide operation name if query contains multiple operations.'
      : `Unknown operation named "${name}".`,
    { extensions: { code: 'BAD_USER_INPUT' } },
  );

const TOO_MANY = `A person may have ${MOST_OF_A_PERSON} subscriptions at once: close others`;
const TOO_MANY_IN_ALL = `This server has ${MOST} subscriptions, and takes no more`;
export const RETRY_SECONDS = 5;

/** Whose a subscription is. */
const keyOf = ({ credential }: Caller): string =>
  credential?.kind === 'person' ? `person:${credential.id}` : `module:${credential?.module ?? ''}`;

/** The same, which calls `end` once it has ended, however that came. */
function endingWith<T>(source: AsyncIterableIterator<T, unknown>, end: () => void): AsyncIterableIterator<T> {
  const ending = async (result: Promise<IteratorResult<T, unknown>>): Promise<IteratorResult<T>> => {
    const settled = await result.catch((error: unknown) => {
      end();
      throw error;
    });
    if (settled.done) end();
    return settled as IteratorResult<T>;
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => ending(source.next()),
    return: (value) => {
      // At once, since what is read for the next entry must not be waited for.
      end();
      return ending(source.return?.(value) ?? Promise.resolve({ done: true, value }));
    },
    // graphql-sse returns only what has it, too.
    throw: (error) => {
      end();
      return ending(source.throw?.(error) ?? Promise.reject(error));
    },
  };
}

async function* only<T>(value: T): AsyncGenerator<T, void> {
  yield value;
}

/**
 * A text that is the same for all subscriptions whose results for an entry are the same; null where they depend on more
 * than the entry: on the caller, as `related` and `proof` do, or on a variable. The arguments of the root field do not
 * matter, since they only choose entries.
 */
function sharedSelection({ schema, document, operationName }: ExecutionArgs): string | null {
  const [entry, change] = ['LogEntry', 'LogChange'].map((name) => schema.getType(name));
  const plain = new Set(['__typename', ...Object.keys(schema.getSubscriptionType()?.getFields() ?? {})]);
  for (const type of [entry, change])
    if (isObjectType(type))
      for (const field of Object.values(type.getFields())) {
        const named = getNamedType(field.type);
        if (field.args.length === 0 && (isLeafType(named) || named === change)) plain.add(field.name);
      }
  let isShared = true;
  visit(document, {
    VariableDefinition: () => false,
    Argument: () => false,
    Directive: () => {
      isShared = false;
    },
    Field: ({ name }) => {
      isShared &&= plain.has(name.value);
    },
  });
  return isShared ? `${operationName ?? ''} ${print(document)}` : null;
}
