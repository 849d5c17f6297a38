import type { ServerResponse } from 'node:http';
import { type Call, CallEnd } from '../database/call.js';
import { overloaded, ReelError, unavailable } from '../errors.js';
import { JsonBytes, writeJson } from './json-writer.js';

export interface AnswerBounds {
  /** Of one answer, and of the rows that are read for it. */
  readonly answerBytes: number;
  /** Of all answers that are in the making, or made and not taken yet; one alone may be longer. */
  readonly serverBytes: number;
  /** Of each answer, which are not counted among them, so that short answers are made beside any others. */
  readonly freeBytes: number;
}

const MIB = 1_048_576;

export const ANSWER_BOUNDS: AnswerBounds = {
  answerBytes: 32 * MIB,
  serverBytes: 64 * MIB,
  freeBytes: MIB / 16,
};

/** What a row takes in memory, times its bytes: text of its own, and what data becomes when it is parsed. */
const ROW_WEIGHT = 2;

/** Answers of one server. */
export class Answers {
  /** Bytes that are held for answers. */
  private held = 0;
  /** What several answers are made of, and how many. */
  private readonly shared = new Map<object, number>();

  constructor(readonly bounds: AnswerBounds = ANSWER_BOUNDS) {}

  /** An answer to a request, until its response is closed. */
  open(response: ServerResponse, most?: number): Answer {
    const answer = this.begin(most);
    response.once('close', () => answer.end());
    return answer;
  }

  /** One that is never held as a whole, and so may be of any length. */
  openStream(response: ServerResponse): Answer {
    return this.open(response, Number.POSITIVE_INFINITY);
  }

  /** An answer of at most so many bytes that its maker ends. */
  begin(most = this.bounds.answerBytes): Answer {
    return new Answer(most, this);
  }

  /** So many bytes more for an answer that holds some already. Errors: OVERLOADED. */
  hold(bytes: number, already = 0): void {
    if (bytes > 0 && this.held + bytes > this.bounds.serverBytes && this.held > already)
      throw overloaded('Too many long answers are being made');
    this.held += bytes;
  }

  release(bytes: number): void {
    this.held -= bytes;
  }

  /** The same, once, for all that hold it. */
  share(what: object, bytes: number): void {
    const holders = this.shared.get(what) ?? 0;
    if (holders === 0) this.hold(bytes);
    this.shared.set(what, holders + 1);
  }

  releaseShare(what: object, bytes: number): void {
    const holders = (this.shared.get(what) ?? 0) - 1;
    if (holders > 0) this.shared.set(what, holders);
    else {
      this.shared.delete(what);
      this.release(bytes);
    }
  }
}

/** Made once, since every answer ends. */
const UNWANTED = unavailable('Nobody waits for this answer any more');

/** An answer in the making: counted while it is made, and given up where its caller hangs up. */
export class Answer implements Call {
  readonly signal = new CallEnd();
  private read = 0;
  private written = 0;
  /** Bytes that it takes, and those of them that are counted among the server's. */
  private size = 0;
  private held = 0;
  private kept: { what: object; bytes: number } | null = null;

  constructor(
    private readonly most: number,
    private readonly answers: Answers,
  ) {}

  /** Errors: BAD_USER_INPUT past the bound, OVERLOADED past the server's. */
  took(bytes: number): void {
    this.read += bytes;
    this.count(this.read, bytes * ROW_WEIGHT);
  }

  /** Errors: those of took. */
  write(value: object): Promise<Buffer[]> {
    this.written = 0;
    return writeJson(value, (bytes, isHeld) => {
      this.written += bytes;
      this.count(this.written, isHeld ? 0 : bytes);
    });
  }

  /** A part of what `write` will be given that is there already, in pieces. Errors: those of took. */
  part(pieces: readonly Buffer[]): JsonBytes {
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.count(bytes, bytes);
    return new JsonBytes(pieces);
  }

  /** Lets go of everything. What is still read for it is cancelled. */
  end(): void {
    this.reset();
    this.keep(null);
    this.signal.abort(UNWANTED);
  }

  /** Of a stream of answers, before the next. */
  reset(): void {
    this.answers.release(this.held);
    this.read = 0;
    this.size = 0;
    this.held = 0;
  }

  /** What is held until the next is, or the end: null for nothing. Errors: OVERLOADED. */
  keep(what: object | null, bytes = 0): void {
    const { kept } = this;
    this.kept = null;
    if (kept) this.answers.releaseShare(kept.what, kept.bytes);
    if (what === null) return;
    this.signal.throwIfAborted();
    this.answers.share(what, bytes);
    this.kept = { what, bytes };
  }

  private count(bytes: number, more: number): void {
    this.signal.throwIfAborted();
    if (this.most === Number.POSITIVE_INFINITY) return;
    try {
      if (bytes > this.most) throw tooLong(this.most);
      this.size += more;
      const beyond = Math.max(this.held, this.size - this.answers.bounds.freeBytes) - this.held;
      this.answers.hold(beyond, this.held);
      this.held += beyond;
    } catch (error) {
      this.signal.abort(error);
      throw error;
    }
  }
}

const tooLong = (most: number): ReelError => {
  const msg = `Expected an answer of at most ${most} bytes, got more: ask for fewer entries, or for fewer of their fields`;
  return new ReelError('BAD_USER_INPUT', msg, { extensions: { limit: most } });
};
