import type { Redact } from './redact.js';

export type Severity = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';

/**
 * What an entry meets where the spool is full: it is refused, the oldest are dropped for it, or, where its caller waits
 * for it anyhow, it waits for room.
 */
export type OnFull = 'refuse' | 'drop-oldest' | 'block';

/** A schema by Standard Schema and Standard JSON Schema, such as those of zod from 4.2 on. */
export interface DataSchema<Input = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Checked | Promise<Checked>;
    readonly types?: { readonly input: Input; readonly output: unknown } | undefined;
    readonly jsonSchema: {
      readonly input: (options: { target: 'draft-2020-12' }) => Record<string, unknown>;
    };
  };
}

interface Checked {
  readonly issues?: ReadonlyArray<{
    readonly message: string;
    readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
  }>;
}

/** What a module says of one of its actions. */
export interface Action {
  /** Of the schema of its data, from 1; the default is 1. */
  version?: number;
  /** Of its entries, where they name none; the default is INFO. */
  severity?: Severity;
  /** The type of the resource that it acts upon. */
  resource?: string;
  description?: string;
  data?: DataSchema;
  /** What of the data never leaves the process as it is. */
  redact?: readonly Redact[];
  onFull?: OnFull;
}

/** The actions of a module, by name. */
export type ActionMap = Readonly<Record<string, Action>>;

/** What an action is registered with at the server. */
export interface Registration {
  module: string;
  action: string;
  version: number;
  /** JSON Schema, draft 2020-12, of the data before it is redacted; null where any object will do. */
  schema: Record<string, unknown> | null;
  severity: Severity;
  resource: string | null;
  redaction: { path: string; how: 'drop' | 'mask' | 'hmac' }[];
  description: string | null;
}

export interface Actions<M extends ActionMap = ActionMap> {
  readonly module: string;
  readonly actions: M;
  /** Errors: a schema that cannot be written as JSON Schema, which is named. */
  registrations(): Registration[];
}

/** The data that an entry of an action has. */
export type DataOf<A extends Action> = A extends { data: DataSchema<infer Input> }
  ? { data: Input }
  : { data?: Record<string, unknown> };

/** Describes the actions of a module, so that their names and data are checked when it is compiled and when it runs. */
export function defineActions<const M extends ActionMap>(module: string, actions: M): Actions<M> {
  return {
    module,
    actions,
    registrations: () => Object.entries(actions).map((each) => register(module, each)),
  };
}

function register(module: string, [action, definition]: [string, Action]): Registration {
  const {
    version = 1,
    severity = 'INFO',
    resource = null,
    description = null,
    data,
    redact = [],
  } = definition;
  return {
    module,
    action,
    version,
    schema: data ? jsonSchemaOf(data, action) : null,
    severity,
    resource,
    redaction: redact.map((each) => (typeof each === 'string' ? { path: each, how: 'drop' } : { ...each })),
    description,
  };
}

function jsonSchemaOf(schema: DataSchema, action: string): Record<string, unknown> {
  try {
    return schema['~standard'].jsonSchema.input({ target: 'draft-2020-12' });
  } catch (error) {
    throw new TypeError(
      `${action}: expected data that JSON Schema can describe, got ${(error as Error).message}`,
    );
  }
}

/** What is wrong with data; null where nothing is. A schema that answers later is not waited for. */
export function dataFault(schema: DataSchema, data: unknown): string | null {
  const checked = schema['~standard'].validate(data);
  if (checked instanceof Promise) {
    checked.catch(() => {});
    return null;
  }
  const [issue] = checked.issues ?? [];
  if (!issue) return null;
  const path = issue.path?.map((each) => String(typeof each === 'object' ? each.key : each)) ?? [];
  return `${['data', ...path].join('.')}: ${issue.message}`;
}
