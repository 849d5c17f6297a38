import { randomUUID } from 'node:crypto';
import { type Action, type Actions, dataFault } from './actions.js';
import { currentContext } from './context.js';
import { type EntryFields, toWire, type WireEntry } from './entry.js';
import { HEADER_BYTES, MAX_PAYLOAD_BYTES } from './record.js';
import { type Pattern, redactor, truncated } from './redact.js';

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
  if (!module || typeof module !== 'string') throw new TypeError(`module: expected a name, got ${module}`);
  if (key !== undefined && Buffer.byteLength(key) < 32)
    throw new TypeError(`redactionKey: expected at least 32 bytes, got ${Buffer.byteLength(key)}`);
  const defined = new Map(Object.entries(actions?.actions ?? {}));
  const redactors = new Map<string, ReturnType<typeof redactor>>();
  for (const [name, { redact: rules = [] }] of defined) {
    if (key === undefined && rules.some((rule) => typeof rule === 'object' && rule.how === 'hmac'))
      throw new TypeError(`redactionKey: expected one, since ${name} redacts by hmac, got none`);
    redactors.set(name, redactor({ rules, patterns, key }));
  }
  const anyRedactor = redactor({ rules: [], patterns, key });
  const keys = `${randomUUID()}-`;
  let made = 0;

  function faultOf(
    name: string,
    { data }: { data?: unknown },
    wire: WireEntry,
    bytes: number,
  ): string | null {
    const action = defined.get(name);
    if (actions && !action)
      return `action: expected one of ${[...defined.keys()].join(', ').slice(0, 200)}, got ${name}`;
    if (!wire.tenant_id) return 'tenantId: expected the id of a tenant, got none';
    if (bytes > MAX_PAYLOAD_BYTES) return `expected at most ${MAX_PAYLOAD_BYTES} bytes, got ${bytes}`;
    return action?.data ? dataFault(action.data, data) : null;
  }

  return (name, entry) => {
    const action = defined.get(name) ?? {};
    made += 1;
    const wire: WireEntry = {
      module,
      action: name,
      severity: action.severity,
      ...toWire(currentContext(), entry, action.resource),
      data: entry.data == null ? undefined : (redactors.get(name) ?? anyRedactor)(entry.data),
      repair,
      idempotency_key: entry.idempotencyKey ?? keys + made,
    };
    let payload = JSON.stringify(wire);
    let bytes = Buffer.byteLength(payload);
    if (bytes > MAX_PAYLOAD_BYTES) {
      wire.data = truncated(JSON.stringify(wire.data));
      payload = JSON.stringify(wire);
      bytes = Buffer.byteLength(payload);
    }
    return { wire, payload, bytes: HEADER_BYTES + bytes, action, fault: faultOf(name, entry, wire, bytes) };
  };
}
