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

export interface Actions<M extends ActionMap = ActionMap> {
  readonly module: string;
  readonly actions: M;
}

/** The data that an entry of an action has. */
export type DataOf<A extends Action> = A extends { data: DataSchema<infer Input> }
  ? { data: Input }
  : { data?: Record<string, unknown> };

/** Describes the actions of a module, so that their names and data are checked when it is compiled and when it runs. */
export const defineActions = <const M extends ActionMap>(module: string, actions: M): Actions<M> => ({
  module,
  actions,
});

/** What is wrong with data; null where nothing is. A schema that answers later is not waited for. */
export function dataFault(schema: DataSchema, data: unknown): string | null {
  const checked = schema['~standard'].validate(data);
  if (checked instanceof Promise) {
    checked.catch(() => {});
    return null;
  }
  const [issue] = checked.issues ?? [];
  if (!issue) return null;
  const path = issue.path?.map((each) => (each as { key?: PropertyKey }).key ?? each) ?? [];
  return `${['data', ...path].join('.')}: ${issue.message}`;
}
