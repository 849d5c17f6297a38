import { SEPARATOR } from '../entry/search-text.js';

const [FIRST_HIGH_SURROGATE, LAST_HIGH_SURROGATE] = [0xd800, 0xdbff] as const;

/** A trigram spans so many characters. */
export const GRAM_LENGTH = 3;

/** Whether a needle has a trigram. */
export const hasGrams = (needle: string): boolean => [...needle].length >= GRAM_LENGTH;

const FIRST_SLOTS = 1 << 12;

/**
 * Collects the distinct trigrams of a tenant's texts, as hashes over tenant and characters: what the index has of one
 * tenant tells nothing about another's.
 */
export class Grams {
  /** Open addressing; a slot is taken if its generation is the present one. */
  private hashes = new Int32Array(FIRST_SLOTS);
  private generations = new Uint32Array(FIRST_SLOTS);
  private generation = 1;
  private count = 0;
  private readonly pieces = new Set<string>();
  private readonly seed: number;

  /** `tenantId` in lower case. */
  constructor(tenantId: string) {
    const words = tenantId.replaceAll('-', '').match(/.{8}/g)!;
    this.seed = words.reduce((seed, word) => mix(seed ^ Number.parseInt(word, 16)), 0);
  }

  /** Adds the trigrams of normalized text; none of them spans two pieces. */
  add(text: string): void {
    for (const piece of text.split(SEPARATOR)) {
      // Entries that follow each other have much in common.
      if (this.pieces.has(piece)) continue;
      this.pieces.add(piece);
      this.addPiece(piece);
    }
  }

  private addPiece(piece: string): void {
    const { length } = piece;
    let [one, two, count] = [0, 0, 0];
    for (let at = 0; at < length; at += 1) {
      let three = piece.charCodeAt(at);
      if (three >= FIRST_HIGH_SURROGATE && three <= LAST_HIGH_SURROGATE) {
        three = piece.codePointAt(at)!;
        if (three > 0xffff) at += 1;
      }
      count += 1;
      if (count >= GRAM_LENGTH) this.put(this.hash(one, two, three));
      one = two;
      two = three;
    }
  }

  /** The hashes added since the last call, ascending. */
  take(): Int32Array {
    const taken = new Int32Array(this.count);
    let next = 0;
    for (let slot = 0; slot < this.hashes.length; slot += 1)
      if (this.generations[slot] === this.generation) taken[next++] = this.hashes[slot]!;
    this.generation += 1;
    this.count = 0;
    this.pieces.clear();
    return taken.sort();
  }

  private hash(one: number, two: number, three: number): number {
    // 21 bits each.
    return mix(mix(this.seed ^ (one | (two << 21))) ^ ((two >>> 11) | (three << 10)));
  }

  private put(hash: number): void {
    if (2 * this.count >= this.hashes.length) this.grow();
    const mask = this.hashes.length - 1;
    let slot = hash & mask;
    while (this.generations[slot] === this.generation) {
      if (this.hashes[slot] === hash) return;
      slot = (slot + 1) & mask;
    }
    this.hashes[slot] = hash;
    this.generations[slot] = this.generation;
    this.count += 1;
  }

  private grow(): void {
    const { hashes, generations, generation } = this;
    this.hashes = new Int32Array(2 * hashes.length);
    this.generations = new Uint32Array(this.hashes.length);
    this.count = 0;
    for (let slot = 0; slot < hashes.length; slot += 1)
      if (generations[slot] === generation) this.put(hashes[slot]!);
  }
}

/** The finalizer of MurmurHash3: every bit of the input affects every bit of the result. */
function mix(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

const HEADER_BYTES = 20;
const INT4_TYPE = 23;

/** A parameter of type integer[] in PostgreSQL's binary format (array_recv), which is much quicker to make than its text. */
export function integerArray(values: Int32Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + 8 * values.length);
  for (const [at, word] of [values.length === 0 ? 0 : 1, 0, INT4_TYPE, values.length, 1].entries())
    bytes.writeInt32BE(word, 4 * at);
  if (values.length === 0) return bytes.subarray(0, 12);
  for (let at = 0, to = HEADER_BYTES; at < values.length; at += 1, to += 8) {
    bytes.writeInt32BE(4, to);
    bytes.writeInt32BE(values[at]!, to + 4);
  }
  return bytes;
}
