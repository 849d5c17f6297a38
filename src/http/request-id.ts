import { randomUUID } from 'node:crypto';
import { headerValues, type IncomingCall } from './incoming-call.js';

/** As many characters as an entry's requestId; visible ASCII, so that it can stand in a header and in a line of a log. */
const REQUEST_ID = /^[\x21-\x7e]{1,255}$/;
/** W3C Trace Context, section 3.2: version ff and ids of zeros are invalid; later versions may add fields. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

const known = new WeakMap<IncomingCall, string>();

/** The id of a request: its X-Request-Id where that is well formed, else the trace id of a well-formed traceparent, else a new UUID, always the same one for it. */
export function requestIdOf(call: IncomingCall): string {
  const before = known.get(call);
  if (before !== undefined) return before;
  const given = headerValues(call, 'x-request-id').find((value) => REQUEST_ID.test(value));
  const id = given ?? traceIdOf(call) ?? randomUUID();
  known.set(call, id);
  return id;
}

function traceIdOf(call: IncomingCall): string | null {
  const [traceparent = '', ...others] = headerValues(call, 'traceparent');
  const [, version, traceId = null, more] = TRACEPARENT.exec(traceparent) ?? [];
  return others.length > 0 || (version === '00' && more !== undefined) ? null : traceId;
}
