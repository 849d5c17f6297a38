import { parseUuid } from '../../query-line/values.js';
import { foldName } from '../entry/email.js';

/** Between the parts of a URL, and what stands for a blank in one. */
const [BETWEEN_PARTS, BLANKS] = [/[/?#&=;,]/, /[-_.+]+/g];
const WORDS = /[\p{L}\p{M}\p{N}]+/gu;
/** Shorter identities, and content that is shorter or a plain word, count only where a text says nothing else. */
const MIN_IDENTITY = 3;
const MIN_CONTENT = 5;
const LONG_WORD = 12;
/** Characters of the longest value that is looked for within another text. */
const MAX_WITHIN = 500;
/** Words of a name that are combined. */
const MAX_NAME_WORDS = 12;

interface Word {
  start: number;
  end: number;
}

/**
 * Values that are being erased, to be looked for in what was asked of the trail. Compared folded, by whole words: a text
 * names a value if it is that value, or contains one that cannot well mean anything else.
 */
export class ErasedValues {
  private readonly whole = new Set<string>();
  private readonly within = new Set<string>();
  private readonly identities = new Set<string>();
  private longest = 0;

  get size(): number {
    return this.whole.size;
  }

  /** An e-mail address or a name: parts of it name the person, too. */
  addIdentity(text: string | null): void {
    if (!text) return;
    const { value, words } = read(text);
    if (value === '') return;
    this.whole.add(value);
    this.identities.add(value);
    if (value.length >= MIN_IDENTITY) this.addWithin(value);
    // The domain of an address is that of many others.
    const at = value.indexOf('@');
    const own = words.filter(({ end }) => at < 0 || end <= at).slice(0, MAX_NAME_WORDS);
    for (const [index, { start }] of own.entries())
      for (const { end } of own.slice(index)) {
        if (end - start < MIN_IDENTITY) continue;
        this.whole.add(value.slice(start, end));
        this.identities.add(value.slice(start, end));
      }
  }

  /** Anything else that an erasure takes away, but for UUIDs: ids stay. */
  addContent(text: string | null): void {
    if (!text || parseUuid(text) !== null) return;
    const { value } = read(text);
    if (value === '') return;
    this.whole.add(value);
    const isPlainWord = /^\p{L}+$/u.test(value) && value.length < LONG_WORD;
    if (value.length >= MIN_CONTENT && !isPlainWord) this.addWithin(value);
  }

  /** Every text and number of an entry's data, and keys that are addresses. */
  addData(value: unknown): void {
    if (typeof value === 'string') this.addContent(value);
    else if (typeof value === 'number') {
      if (String(value).length >= MIN_CONTENT) this.addContent(String(value));
    } else if (typeof value === 'object' && value !== null)
      for (const [key, each] of Object.entries(value)) {
        if (key.includes('@')) this.addContent(key);
        this.addData(each);
      }
  }

  isNamedIn(text: string): boolean {
    const { value, words } = read(text);
    if (this.whole.has(value)) return true;
    if (this.longest === 0) return false;
    for (const [index, { start }] of words.entries())
      for (let last = index; last < words.length; last += 1) {
        const { end } = words[last]!;
        if (end - start > this.longest) break;
        if (this.within.has(value.slice(start, end))) return true;
      }
    return false;
  }

  /** Of a URL and the like: where a part of it alone is a part of a name, too. */
  isNamedInAddress(address: string): boolean {
    const isIdentity = (part: string) => this.identities.has(read(part).value);
    return (
      this.isNamedIn(address) ||
      this.isNamedIn(address.replace(BLANKS, ' ')) ||
      address.split(BETWEEN_PARTS).some(isIdentity)
    );
  }

  private addWithin(value: string): void {
    if (value.length > MAX_WITHIN) return;
    this.within.add(value);
    this.longest = Math.max(this.longest, value.length);
  }
}

/** The text folded, from its first word to its last, and where its words stand. */
function read(text: string): { value: string; words: Word[] } {
  const folded = foldName(text);
  const found = [...folded.matchAll(WORDS)];
  const [first] = found;
  const last = found.at(-1);
  if (!first || !last) return { value: '', words: [] };
  const words = found.map(({ index, 0: word }) => ({
    start: index - first.index,
    end: index - first.index + word.length,
  }));
  return { value: folded.slice(first.index, last.index + last[0].length), words };
}
