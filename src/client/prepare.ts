import { randomUUID } from 'node:crypto';
import { type Action, type Actions, dataFault } from './actions.js';
import { currentContext } from './context.js';
import { addFields, type EntryFields, type WireEntry } from './entry.js';
import { HEADER_BYTES, MAX_PAYLOAD_BYTES } from './record.js';
import { type Pattern, redactor } from './redact.js';

export interface PreparationOptions {
  actions?: Actions;
  module?: string;
  repair?: boolean;
  redactPatterns?: readonly Pattern[];
  redactionKey?: string;
}

/** An entry as it is sent. */
export interface Prepared {
  wire: WireEntry;
  /** As JSON, of at most MAX_PAYLOAD_BYTES. */
  payload: string;
  /** That its record takes. */
  bytes: number;
  /** Why it must not be taken; null where it may. */
  fault: string | null;
  action: Action;
}

/** Makes entries of what a module says: complete, checked and redacted. Errors: a TypeError that says what was expected. */
export function preparation({
  actions,
  module = actions?.module,
  repair = true,
  redactPatterns: patterns = [],
  redactionKey: key,
}: PreparationOptions): (name: string, entry: EntryFields & { data?: unknown }) => Prepared {
  if (!module) throw new TypeError(`module: expected a name, got ${module}`);
  const defined = new Map(Object.entries(actions?.actions ?? {}));
  const redactors = new Map<string, ReturnType<typeof redactor>>();
  for (const [name, { redact: rules = [] }] of defined)
    redactors.set(name, redactor({ rules, patterns, key }));
  const anyRedactor = redactor({ rules: [], patterns, key });
  const keys = `${randomUUID()}-`;
  let made = 0;

  function faultOf(name: string, data: unknown, tenantId: unknown, bytes: number): string | null {
    const action = defined.get(name);
    if (actions && !action) return `action: expected one of ${module}'s, got ${name.slice(0, 200)}`;
    if (!tenantId) return 'tenantId: expected one, got none';
    if (bytes > MAX_PAYLOAD_BYTES) return `expected at most ${MAX_PAYLOAD_BYTES} bytes, got ${bytes}`;
    return action?.data ? dataFault(action.data, data) : null;
  }

  return (name, entry) => {
    made += 1;
    const action = defined.get(name) ?? {};
    const wire: WireEntry = {
      module,
      action: name,
      severity: action.severity,
      // Written as JSON it is RFC 3339.
      occurred_at: new Date(),
      repair,
      idempotency_key: keys + made,
      resource_type: entry.resource && action.resource,
      data: entry.data == null ? undefined : (redactors.get(name) ?? anyRedactor)(entry.data),
    };
    addFields(wire, currentContext(), entry);
    const payload = JSON.stringify(wire);
    const bytes = Buffer.byteLength(payload);
    return {
      wire,
      payload,
      bytes: HEADER_BYTES + bytes,
      action,
      fault: faultOf(name, entry.data, wire.tenant_id, bytes),
    };
  };
}
