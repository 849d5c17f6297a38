import ipaddr from 'ipaddr.js';
import type { Caller, Connection } from '../auth/caller.js';
import type { VerifyToken } from '../auth/token.js';
import { clip, type Fault, ReelError, unauthenticated } from '../errors.js';
import { parseUuid } from '../query-line/values.js';
import { headerPairs, headerValues, type IncomingCall } from './incoming-call.js';
import { requestIdOf } from './request-id.js';

export { type Caller, callerName } from '../auth/caller.js';
export type { IncomingCall } from './incoming-call.js';

export interface Authentication {
  readonly verify: VerifyToken;
  /** Whose X-Forwarded-For is believed; made by `trustedProxies`. */
  readonly trusts: (address: string) => boolean;
  /** Told why a credential was refused, never the credential. */
  readonly onRefused?: (why: string, requestId: string) => void;
}

const AGENT_CHARACTERS = 1000;

/**
 * Who calls, from where, for which tenant. Errors: UNAUTHENTICATED (a bad token or Authorization header), UNAVAILABLE
 * (the key set cannot be fetched), BAD_USER_INPUT (a person's X-Tenant-Id or X-Client-Id).
 */
export async function readCaller(call: IncomingCall, authentication: Authentication): Promise<Caller> {
  const { authorization, credential } = await readCredential(call, authentication);
  const isPerson = credential?.kind === 'person';
  const faults: Fault[] = [];
  const [tenantId, clientId] = isPerson
    ? [headerUuid(call, 'X-Tenant-Id', faults), headerUuid(call, 'X-Client-Id', faults)]
    : [null, null];
  if (faults.length > 0)
    throw new ReelError('BAD_USER_INPUT', faults.map((fault) => fault.msg).join('; '), { faults });
  return { credential, tenantId, clientId, authorization, ...readConnection(call, authentication.trusts) };
}

async function readCredential(
  call: IncomingCall,
  authentication: Authentication,
): Promise<Pick<Caller, 'authorization' | 'credential'>> {
  try {
    const authorization = oneAuthorization(headerValues(call, 'authorization'));
    const credential =
      authorization === null ? null : await authentication.verify(bearerToken(authorization));
    return { authorization, credential };
  } catch (error) {
    if (error instanceof ReelError && error.why !== undefined)
      authentication.onRefused?.(error.why, requestIdOf(call));
    throw error;
  }
}

/** Where a call comes from, whoever calls. */
export function readConnection(call: IncomingCall, trusts: Authentication['trusts']): Connection {
  const requestId = requestIdOf(call);
  return {
    ip: clientAddress(call, trusts),
    agent: agentOf(headerValues(call, 'user-agent')[0] ?? ''),
    requestId: parseUuid(requestId) ?? requestId,
  };
}

/** Headers that a websocket's connection parameters may say, since browsers cannot set any there. */
const SPOKEN = ['authorization', 'x-tenant-id', 'x-client-id', 'x-request-id', 'traceparent'];

/** A call whose headers are those of the request, those above replaced by what the connection parameters say. */
export function withConnectionParams(
  call: IncomingCall,
  params: Readonly<Record<string, unknown>> | undefined,
): IncomingCall {
  const spoken = Object.entries(params ?? {}).flatMap(([name, value]) =>
    SPOKEN.includes(name.toLowerCase()) && typeof value === 'string'
      ? [[name.toLowerCase(), value] as const]
      : [],
  );
  const replaced = new Set(spoken.map(([name]) => name));
  const kept = headerPairs(call.rawHeaders).filter(([name]) => !replaced.has(name));
  return { rawHeaders: [...kept, ...spoken].flat(), socket: call.socket };
}

/** Whether an address is one of the proxies, given as addresses or CIDR blocks. */
export function trustedProxies(blocks: readonly string[]): (address: string) => boolean {
  const ranges = blocks.map((block) => {
    const [address = '', bits] = block.split('/');
    const parsed = ipaddr.parse(address);
    const whole = parsed.kind() === 'ipv4' ? 32 : 128;
    return mapped(parsed, bits === undefined ? whole : Number(bits));
  });
  return (address) => {
    const parsed = readAddress(address);
    return (
      parsed !== null &&
      ranges.some(([base, bits]) => base.kind() === parsed.kind() && parsed.match(base, bits))
    );
  };
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A block of IPv4-mapped addresses is meant for the IPv4 ones. */
function mapped(base: Address, bits: number): [Address, number] {
  return base instanceof ipaddr.IPv6 && base.isIPv4MappedAddress() && bits >= 96
    ? [base.toIPv4Address(), bits - 96]
    : [base, bits];
}

/** The longest address has 45 characters, and the name of a zone some. */
const MAX_ADDRESS = 100;

/** Those that were read lately: nearly all calls come from few. */
const known = new Map<string, Address | null>();
const MAX_KNOWN = 1_000;

/** An address without port, brackets and zone; IPv4-mapped IPv6 as IPv4. */
function readAddress(text: string): Address | null {
  if (text.length > MAX_ADDRESS) return null;
  const before = known.get(text);
  if (before !== undefined) return before;
  const address = parseAddress(text);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(text, address);
  return address;
}

function parseAddress(text: string): Address | null {
  const [bare = ''] = text
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^([\d.]+):\d+$/, '$1')
    .split('%', 1);
  if (!ipaddr.IPv4.isValidFourPartDecimal(bare) && !ipaddr.IPv6.isValid(bare)) return null;
  return ipaddr.process(bare);
}

/** The nearest address that no trusted proxy vouches past: X-Forwarded-For is walked from its end. */
function clientAddress(call: IncomingCall, trusts: (address: string) => boolean): string | null {
  let address = readAddress(call.socket.remoteAddress ?? '')?.toString() ?? null;
  const hops = headerValues(call, 'x-forwarded-for').join(',').split(',');
  while (address !== null && trusts(address)) {
    const before = readAddress(hops.pop() ?? '');
    if (before === null) break;
    address = before.toString();
  }
  return address;
}

function oneAuthorization(values: string[]): string | null {
  if (values.length > 1) throw unauthenticated('Authorization: more than one');
  return values[0] || null;
}

/** RFC 6750's b64token, the scheme in any case (RFC 9110). */
function bearerToken(authorization: string): string {
  const token = /^bearer +([\w.~+/-]+=*)$/i.exec(authorization)?.[1];
  if (token === undefined) throw unauthenticated('Authorization: no bearer token');
  return token;
}

function headerUuid(call: IncomingCall, header: string, faults: Fault[]): string | null {
  const values = headerValues(call, header.toLowerCase()).filter(Boolean);
  const ids = new Set(values.map(parseUuid));
  const [id = null] = ids;
  if (values.length === 0 || (ids.size === 1 && id !== null)) return id;
  const came = values.join(', ');
  const msg = `${header}: expected one UUID, got ${clip(came)}`;
  faults.push({ type: 'uuid_parsing', loc: ['header', header], msg, input: came });
  return null;
}

function agentOf(header: string): string | null {
  const text = header.toWellFormed().replaceAll('\0', '');
  return [...text.slice(0, AGENT_CHARACTERS * 2)].slice(0, AGENT_CHARACTERS).join('').toWellFormed() || null;
}
