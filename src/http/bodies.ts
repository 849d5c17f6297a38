import { hash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest, RequestPayload } from 'fastify';
import { overloaded } from '../errors.js';
import { type BoundOf, routeBound, unpackBody } from './content-encoding.js';

export interface BodyBounds {
  /** Of all bodies that are being read or worked on. */
  readonly serverBytes: number;
  /** Of those of one credential. */
  readonly callerBytes: number;
  /** Shorter ones are not counted: so many connections there are not. */
  readonly freeBytes: number;
  /** A body that finds no room waits so long, without being read. */
  readonly waitMs: number;
}

const MIB = 1_048_576;

export const BODY_BOUNDS: BodyBounds = {
  serverBytes: 24 * MIB,
  callerBytes: 16 * MIB,
  freeBytes: 64 * 1024,
  waitMs: 10_000,
};

/** What is taken at first for a body whose length is not known, and again each time that it is longer. */
const STEP_BYTES = 256 * 1024;
/** Text that is packed is rarely so many times shorter. */
const PACKED = 8;

interface Waiting {
  readonly caller: string;
  readonly bytes: number;
  readonly begin: () => void;
}

/** Room for the bodies of requests, of all interfaces of one server, so that they never fill its memory together. */
export class Bodies {
  private taken = 0;
  private readonly ofCallers = new Map<string, number>();
  private readonly waiting = new Set<Waiting>();

  constructor(private readonly bounds: BodyBounds = BODY_BOUNDS) {}

  /**
   * A preParsing hook: unpacks a body, and waits for room before it reads one that is long. The room is let go of when the
   * request is answered. Errors: OVERLOADED, and those of unpackBody.
   */
  readonly admit =
    (boundOf: BoundOf = routeBound) =>
    async (request: FastifyRequest, reply: FastifyReply, body: RequestPayload): Promise<RequestPayload> => {
      const length = Number(request.headers['content-length'] ?? Number.NaN);
      const bound = boundOf(request);
      // Nothing of what is longer than it may be is read.
      if (length > bound.bytes) throw bound.refusal();
      if (request.method !== 'POST') return body;
      const isPacked = request.headers['content-encoding'] !== undefined;
      if (!isPacked && length <= this.bounds.freeBytes) return body;
      const first = isPacked || Number.isNaN(length) ? Math.max(STEP_BYTES, PACKED * (length || 0)) : length;
      const reservation = new Reservation(this, callerOf(request), bound.bytes);
      reply.raw.once('close', () => reservation.leave());
      await reservation.enter(Math.min(first, bound.bytes));
      const unpacked = unpackBody(request, reply, body, bound);
      return first === length ? unpacked : reservation.measured(unpacked);
    };

  /** Errors: OVERLOADED once it has waited too long. */
  async take(caller: string, bytes: number): Promise<void> {
    if (this.tryTake(caller, bytes)) return;
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.waiting.delete(waiting);
        settle();
      };
      const timer = setTimeout(() => end(() => reject(overloaded(FULL))), this.bounds.waitMs);
      const waiting: Waiting = { caller, bytes, begin: () => end(resolve) };
      this.waiting.add(waiting);
    });
  }

  tryTake(caller: string, bytes: number): boolean {
    const own = this.ofCallers.get(caller) ?? 0;
    const { serverBytes, callerBytes } = this.bounds;
    if (this.taken + bytes > serverBytes || own + bytes > callerBytes) return false;
    this.taken += bytes;
    this.ofCallers.set(caller, own + bytes);
    return true;
  }

  giveBack(caller: string, bytes: number): void {
    this.taken -= bytes;
    const own = (this.ofCallers.get(caller) ?? 0) - bytes;
    if (own > 0) this.ofCallers.set(caller, own);
    else this.ofCallers.delete(caller);
    for (const each of this.waiting) if (this.tryTake(each.caller, each.bytes)) each.begin();
  }
}

const FULL = 'Too many long requests are being read; try again shortly';

/** What one body takes. */
class Reservation {
  private taken = 0;
  private hasLeft = false;

  constructor(
    private readonly bodies: Bodies,
    private readonly caller: string,
    private readonly most: number,
  ) {}

  async enter(bytes: number): Promise<void> {
    await this.bodies.take(this.caller, bytes);
    this.taken = bytes;
    // The caller hung up while it waited.
    if (this.hasLeft) this.leave();
  }

  leave(): void {
    this.hasLeft = true;
    this.bodies.giveBack(this.caller, this.taken);
    this.taken = 0;
  }

  /** The same body, for which more room is taken as it comes. Errors: OVERLOADED. */
  measured(body: RequestPayload): RequestPayload {
    // Its end is not the connection's, over which is answered.
    const chunks = (body as Readable).iterator({ destroyOnReturn: false });
    const stream = Readable.from(this.measure(chunks), { objectMode: false });
    // Fastify holds Content-Length against this.
    return Object.defineProperty(stream, 'receivedEncodedLength', {
      get: () => (body as { receivedEncodedLength?: number }).receivedEncodedLength,
    });
  }

  private async *measure(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      // Past its bound it is refused as too long.
      while (size > this.taken && this.taken < this.most) {
        const step = Math.min(STEP_BYTES, this.most - this.taken);
        if (!this.bodies.tryTake(this.caller, step)) throw overloaded(FULL);
        this.taken += step;
      }
      yield chunk;
    }
  }
}

/** A credential, without keeping it. */
const callerOf = ({ headers }: FastifyRequest): string => hash('sha256', headers.authorization ?? '');
