import type { Action, Actions, DataSchema, Severity } from './actions.js';
import type { How } from './redact.js';

/** What an action is registered with at the server. */
export interface Registration {
  module: string;
  action: string;
  version: number;
  /** JSON Schema, draft 2020-12, of the data before it is redacted; null where any object will do. */
  schema: Record<string, unknown> | null;
  severity: Severity;
  resource: string | null;
  redaction: { path: string; how: How }[];
  description: string | null;
}

/** What defineActions was told, as it is registered. Errors: a TypeError for a schema that JSON Schema cannot write. */
export const registrationsOf = ({ module, actions }: Actions): Registration[] =>
  Object.entries(actions).map(([action, definition]) => ({
    module,
    action,
    version: definition.version ?? 1,
    schema: definition.data ? jsonSchemaOf(definition.data, action) : null,
    severity: definition.severity ?? 'INFO',
    resource: definition.resource ?? null,
    redaction: redactionOf(definition),
    description: definition.description ?? null,
  }));

const redactionOf = ({ redact = [] }: Action): Registration['redaction'] =>
  redact.map((each) => (typeof each === 'string' ? { path: each, how: 'drop' } : { ...each }));

function jsonSchemaOf(schema: DataSchema, action: string): Record<string, unknown> {
  try {
    return schema['~standard'].jsonSchema.input({ target: 'draft-2020-12' });
  } catch (error) {
    throw new TypeError(
      `${action}: expected data that JSON Schema can describe, got ${(error as Error).message}`,
    );
  }
}
