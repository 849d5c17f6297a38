import { createContext, Script } from 'node:vm';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';

/** A JSON Schema, draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Why data does not fit. */
export interface SchemaFault {
  /** The way to the value. */
  readonly way: readonly (string | number)[];
  /** In the words of `must be number`, of at most 200 characters. */
  readonly message: string;
  /** Whether it is what holds for several values together that does not. */
  readonly isOfTheWhole: boolean;
}

/** Thrown where it takes too long to tell whether data fits. */
export class SchemaTimeout extends Error {}

/** Long enough for any schema and data within their bounds that are not made to take long. */
const COMPILE_MS = 200;
export const CHECK_MS = 50;
/** One that was paused is tried again so often. */
const MAX_PAUSES = 3;
const MAX_FAULTS = 20;
const MAX_MESSAGE = 200;

/** With the schema of schemas compiled, which takes some 20 ms. */
function freshAjv(): Ajv2020 {
  const ajv = new Ajv2020({
    strict: false,
    // In draft 2020-12 a format is a remark; what must be checked has a pattern.
    validateFormats: false,
    // A schema that is referred to a thousand times must not be compiled as often.
    inlineRefs: false,
    ownProperties: true,
    logger: false,
  });
  ajv.compile({});
  return ajv;
}

/** None after it was interrupted, which it is not made for. */
let ready: Ajv2020 | null = null;

const script = new Script('run()');
let running: () => unknown = () => null;
const context = createContext({ run: () => running() });

/**
 * Runs what a module's schema may make take long, which changes nothing. Errors: SchemaTimeout where it takes longer, the time
 * not counted in which this process was paused; and those of `work`.
 */
function within<T>(ms: number, work: () => T): T {
  for (let pauses = 0; ; pauses += 1) {
    running = work;
    const before = process.cpuUsage();
    try {
      return script.runInContext(context, { timeout: ms }) as T;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      ready = null;
      const { user, system } = process.cpuUsage(before);
      if ((user + system) / 1_000 > ms / 2 || pauses === MAX_PAUSES)
        throw new SchemaTimeout(`expected an answer in ${ms} ms, got none`);
    }
  }
}

/** Keywords that may make checking take longer than schema and data are long, each by itself. */
const COSTLY: ReadonlySet<string> = new Set([
  '$ref',
  '$dynamicRef',
  'pattern',
  'patternProperties',
  'uniqueItems',
  'contains',
]);

/** Whether one of them stands anywhere in it, be it as the name of a property. */
function isCostly(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return false;
  return Object.entries(schema).some(([name, value]) => COSTLY.has(name) || isCostly(value));
}

/**
 * What tells the faults of data, none where it fits. It throws a SchemaTimeout where that takes longer than `ms`.
 * Errors: an Error that says what is wrong with the schema.
 */
export function schemaCheck(schema: JsonSchema): (data: unknown, ms?: number) => SchemaFault[] {
  ready ??= freshAjv();
  const validate = compiled(schema);
  const isBounded = isCostly(schema);
  return (data, ms = CHECK_MS) => {
    const fits = isBounded ? within(ms, () => validate(data)) : validate(data);
    return fits ? [] : (validate.errors ?? []).slice(0, MAX_FAULTS).map((error) => faultOf(error, data));
  };
}

const compiled = (schema: JsonSchema): ValidateFunction =>
  within(COMPILE_MS, () => {
    ready ??= freshAjv();
    // One that names itself, or parts of it, would be known by these names to others.
    const ajv = JSON.stringify(schema).includes('"$id"') ? freshAjv() : ready;
    // Ajv keeps what it compiled by the object.
    const own = structuredClone(schema) as Record<string, unknown>;
    try {
      return ajv.compile(own);
    } finally {
      ajv.removeSchema(own);
    }
  });

const OF_THE_WHOLE: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'not', 'if']);

function faultOf(
  { instancePath, keyword, params, message = 'must fit' }: ErrorObject,
  data: unknown,
): SchemaFault {
  const way: (string | number)[] = [];
  let at: unknown = data;
  for (const step of instancePath.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    way.push(Array.isArray(at) ? Number(name) : name);
    at = (at as Record<string, unknown> | undefined)?.[name];
  }
  const isOfTheWhole = OF_THE_WHOLE.has(keyword);
  if (keyword !== 'required') return { way, message: message.slice(0, MAX_MESSAGE), isOfTheWhole };
  return { way: [...way, String(params.missingProperty)], message: 'must be there', isOfTheWhole };
}
