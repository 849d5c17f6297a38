import { connect as connectTcp, isIPv6, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Agent, Client, type Dispatcher, ProxyAgent, request } from 'undici';
import { badInput, clip } from '../../errors.js';
import { traceHeaders } from '../../tracing.js';
import { Addresses, AddressRefused } from './addresses.js';

export const CONNECT_MS = 10_000;
export const ANSWER_MS = 30_000;
/** Of an answer that is read. */
export const MAX_ANSWER_BYTES = 1_048_576;
/** Of an answer of which only the status counts. */
const GLANCE_BYTES = 16_384;
/** How long the rest of it is waited for when its status has come. */
const GLANCE_MS = 1_000;

/** A server's certificate authority and the client's own certificate, as PEM; null: none. */
export interface TlsOptions {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

export interface EgressRules {
  readonly allow: readonly string[];
  readonly proxy: string | null;
  readonly isDevelopment: boolean;
}

export interface HttpCall {
  readonly method: 'POST' | 'PUT' | 'GET';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
  /** Whether the answer's body counts: then up to 1 MiB of it is read, and more is an error. */
  readonly readsAnswer: boolean;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
  /** Where it does not count: its beginning. */
  readonly body: Buffer;
  readonly contentType: string;
}

/** An answer is longer than what is read of one. */
export class AnswerTooLong extends Error {
  readonly code = 'ANSWER_TOO_LONG';
}

/** Every connection that streams make goes through here. */
export class Egress {
  private readonly addresses: Addresses;

  constructor(
    private readonly rules: EgressRules,
    addresses?: Addresses,
  ) {
    this.addresses = addresses ?? new Addresses({ allow: rules.allow, allowsLoopback: rules.isDevelopment });
  }

  /** A setting's URL. Errors: BAD_USER_INPUT that names `field`. */
  checkUrl(field: string, url: string): void {
    const parsed = URL.parse(url);
    const isHttp = parsed?.protocol === 'http:' && this.rules.isDevelopment;
    if (
      !parsed ||
      !(parsed.protocol === 'https:' || isHttp) ||
      parsed.username !== '' ||
      parsed.password !== ''
    )
      throw badInput(field, 'an https URL without a user name or password', url);
    this.checkHost(field, parsed.hostname);
  }

  /** A setting's host. Errors: BAD_USER_INPUT that names `field`. */
  checkHost(field: string, host: string): void {
    try {
      this.addresses.checkLiteral(host);
    } catch (error) {
      if (!(error instanceof AddressRefused)) throw error;
      throw badInput(field, 'a public address, or one that REEL_STREAM_ALLOW lists', host);
    }
  }

  /** Whether a host may be connected to without TLS: in development, or where the operator lists its address. */
  checkPlain(field: string, host: string): void {
    if (this.rules.isDevelopment) return;
    if (this.rules.allow.length === 0)
      throw badInput(field, 'TLS, since REEL_STREAM_ALLOW lists no address', host);
    try {
      this.addresses.checkListed(host.replace(/^\[|\]$/g, ''));
    } catch (error) {
      if (!(error instanceof AddressRefused)) throw error;
      throw badInput(field, 'TLS, or an address that REEL_STREAM_ALLOW lists', host);
    }
  }

  /** Connections to receivers over HTTP, kept open until it is closed. */
  http(tls: TlsOptions): Http {
    const options = {
      ...(tls.ca === null ? {} : { ca: tls.ca }),
      ...(tls.cert === null ? {} : { cert: tls.cert }),
      ...(tls.key === null ? {} : { key: tls.key }),
    };
    const bounds = { headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS, connections: 2 };
    const dispatcher = this.rules.proxy
      ? new ProxyAgent({
          uri: this.rules.proxy,
          ...bounds,
          proxyTunnel: true,
          requestTls: { ...options, timeout: CONNECT_MS },
          proxyTls: { timeout: CONNECT_MS },
        })
      : new Agent({
          ...bounds,
          connect: { ...options, timeout: CONNECT_MS, lookup: this.addresses.lookup },
        });
    return new Http(dispatcher, this.addresses);
  }

  /** A connection to a receiver that does not speak HTTP. `tls` null: in the clear. */
  async socket(host: string, port: number, tls: TlsOptions | null): Promise<Socket> {
    const { isDevelopment, proxy } = this.rules;
    const bare = host.replace(/^\[|\]$/g, '');
    this.addresses.checkLiteral(bare);
    // An address is not looked up.
    if (!tls && !isDevelopment) this.addresses.checkListed(bare);
    const lookup = tls || isDevelopment ? this.addresses.lookup : this.onlyAllowed();
    const raw = proxy
      ? await throughProxy(proxy, bare, port)
      : connectTcp({ host: bare, port, lookup, timeout: CONNECT_MS });
    // Heard from the first moment; whoever waits for the connection is told.
    raw.on('error', () => {});
    try {
      if (!proxy) await opened(raw, 'connect');
      if (!tls) return raw;
      const secure = connectTls({
        socket: raw,
        servername: bare,
        ...(tls.ca === null ? {} : { ca: tls.ca }),
        ...(tls.cert === null ? {} : { cert: tls.cert }),
        ...(tls.key === null ? {} : { key: tls.key }),
      });
      secure.on('error', () => {});
      await opened(secure, 'secureConnect');
      return secure;
    } catch (error) {
      raw.destroy();
      throw error;
    }
  }

  /** Only to addresses that the operator lists. */
  private onlyAllowed(): Addresses['lookup'] {
    return (hostname, options, callback) =>
      this.addresses.lookup(hostname, { ...options, all: true }, (error, found) => {
        if (error) return callback(error, '', 0);
        const listed = (found as unknown as { address: string; family: number }[]).filter(({ address }) =>
          this.addresses.isAllowed(address),
        );
        const [first] = listed;
        if (!first)
          return callback(
            new AddressRefused(`expected TLS, or ${hostname} to lead to an address of REEL_STREAM_ALLOW`),
            '',
            0,
          );
        if (options.all) return callback(null, listed as never, undefined as never);
        return callback(null, first.address, first.family);
      });
  }
}

/** Calls over HTTP. */
export class Http {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly addresses: Addresses,
  ) {}

  /** No redirect is followed. Errors: those of the network, AddressRefused, AnswerTooLong, the reason of the signal. */
  async call({ method, url, headers, body, readsAnswer, signal }: HttpCall): Promise<HttpAnswer> {
    this.addresses.checkLiteral(new URL(url).hostname);
    const bound = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS + ANSWER_MS)]);
    const answer = await request(url, {
      dispatcher: this.dispatcher,
      method,
      headers: { ...headers, ...traceHeaders() },
      body,
      signal: bound,
    });
    const { statusCode: status, headers: came } = answer;
    const chunks: Buffer[] = [];
    let size = 0;
    const glance = readsAnswer ? undefined : setTimeout(() => answer.body.destroy(), GLANCE_MS);
    // Nothing of an answer that breaks off is of use where its status alone counts.
    try {
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        size += chunk.length;
        if (size > (readsAnswer ? MAX_ANSWER_BYTES : GLANCE_BYTES)) break;
      }
    } catch (error) {
      if (readsAnswer || signal.aborted) throw error;
    } finally {
      clearTimeout(glance);
    }
    if (readsAnswer && size > MAX_ANSWER_BYTES)
      throw new AnswerTooLong(`expected an answer of at most ${MAX_ANSWER_BYTES} bytes, got more`);
    const single = (name: string) => {
      const value = came[name];
      return (Array.isArray(value) ? value[0] : value) ?? null;
    };
    return {
      status,
      retryAfter: single('retry-after'),
      contentType: single('content-type') ?? '',
      body: Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES),
    };
  }

  close(): void {
    this.dispatcher.destroy().catch(() => {});
  }
}

/** By CONNECT; the proxy resolves the name. */
async function throughProxy(proxy: string, host: string, port: number): Promise<Socket> {
  const client = new Client(proxy, { connect: { timeout: CONNECT_MS } });
  const { statusCode, socket } = await client.connect({
    path: `${isIPv6(host) ? `[${host}]` : host}:${port}`,
    signal: AbortSignal.timeout(CONNECT_MS),
  });
  if (statusCode !== 200) {
    socket.destroy();
    throw Object.assign(new Error(`expected REEL_STREAM_PROXY to connect, got ${statusCode}`), {
      code: 'PROXY',
    });
  }
  return socket as Socket;
}

function opened(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(
          Object.assign(new Error(`expected a connection within ${CONNECT_MS} ms`), { code: 'ETIMEDOUT' }),
        ),
      CONNECT_MS,
    );
    socket.once(event, () => {
      clearTimeout(timer);
      resolve();
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      reject(Object.assign(new Error('expected a connection, got one that closed'), { code: 'ECONNRESET' }));
    });
  });
}

/** What went wrong with a connection, in a few words for people, without anything that was sent. */
export function connectionFault(error: unknown): string {
  const { code, name, message = '', cause } = error as Error & { code?: string };
  if (name === 'TimeoutError') return `no answer within ${(CONNECT_MS + ANSWER_MS) / 1000} s`;
  const inner = cause as (Error & { code?: string }) | undefined;
  const word = code ?? inner?.code;
  if (word === 'ADDRESS_REFUSED') return message;
  return word ? `${word}: ${message}` : clip(message).slice(1, -1);
}

export const isAddressRefused = (error: unknown): boolean =>
  error instanceof AddressRefused || (error as { cause?: unknown }).cause instanceof AddressRefused;
