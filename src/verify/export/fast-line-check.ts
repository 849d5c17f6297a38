import { isHexOf } from '../../log/entry/hex.js';
import type { LogEntry } from '../../log/entry/log-entry.entity.js';
import { showLater } from '../../log/entry/wire.js';
import { HASH_BYTES } from '../../seal/merkle.js';
import { HashInput } from '../canonical/hash-input.js';
import { JsonCanonicalizer } from '../canonical/json-canonicalizer.js';
import type { ConsistentEntry } from './export-check.js';
import {
  decodeBase64,
  endOfInteger,
  endOfString,
  endOfStrings,
  matchesAt,
  parseInteger,
} from './json-scan.js';
import { LINE_FORMS, type Slot } from './line-form.js';

const [QUOTE, COMMA] = [0x22, 0x2c] as const;
const SALT_BYTES = 16;
const EMPTY_LIST_BYTES = 2;
/** A longer line does not pass. */
const MAX_LINE_BYTES = 256 * 1024;
/** A hash of the audit path in base64 with its quotation marks, and with the comma before the next. */
const PATH_HASH_BYTES = 46;
const PATH_STEP_BYTES = PATH_HASH_BYTES + 1;
const NULL = Buffer.from('null');
const PATH = Buffer.from(',"path":[');
const END = Buffer.from(']}}');

const MAX_SLOTS = Math.max(...LINE_FORMS.map(({ slots }) => slots.length));

/**
 * Checks lines of an export with proofs over their bytes, several times as fast as JSON.parse and ExportCheck. It passes
 * consistent lines only, but not all of them: those in a form that Reel writes or has written (LINE_FORMS). For any other
 * line, it is for readExportLine and ExportCheck to find what is wrong, if anything is.
 */
export class FastLineCheck {
  /** The one that passed last is the first: lines of one export are mostly alike. */
  private readonly forms = [...LINE_FORMS];
  private form = LINE_FORMS[0]!;
  /** Where the value of each slot begins and ends. */
  private readonly starts = new Int32Array(MAX_SLOTS);
  private readonly ends = new Int32Array(MAX_SLOTS);
  /** The identity's salt and JSON, then the leaf's. */
  private readonly input = new HashInput(2 * MAX_LINE_BYTES);
  /** The data's salt and canonical JSON. */
  private readonly dataInput = new HashInput(2 * MAX_LINE_BYTES);
  private readonly canonicalizer = new JsonCanonicalizer(MAX_LINE_BYTES, 'tight');
  private readonly identityDigest = Buffer.alloc(HASH_BYTES);
  private readonly dataDigest = Buffer.alloc(HASH_BYTES);
  /** Of the last line that passed. */
  private path: readonly Buffer[] = [];
  private pathBytes: Buffer = Buffer.alloc(0);

  /** Null if the line does not pass. */
  check(line: Buffer): ConsistentEntry | null {
    if (line.length > MAX_LINE_BYTES || !matchesAt(line, line.length - END.length, END, 0, END.length))
      return null;
    const { forms } = this;
    for (let index = 0; index < forms.length; index += 1) {
      this.form = forms[index]!;
      const pathStart = this.split(line);
      if (pathStart < 0) continue;
      const entry = this.checkSplit(line, pathStart);
      if (entry && index > 0) forms.unshift(...forms.splice(index, 1));
      // No line has two forms.
      return entry;
    }
    return null;
  }

  private checkSplit(line: Buffer, pathStart: number): ConsistentEntry | null {
    const { at, hasData } = this.form;
    if (!this.isIdentityValid(line) || !this.isDataValid(line) || !this.areLaterAsShown(line)) return null;
    const leafHash = Buffer.allocUnsafe(HASH_BYTES);
    if (!this.decode(line, at.leafHash, leafHash, HASH_BYTES)) return null;
    if (!isHexOf(this.hashLeaf(line), leafHash, 0, HASH_BYTES)) return null;
    const path = this.readPath(line, pathStart, line.length - END.length);
    return (
      path && {
        sequence: parseInteger(line, this.starts[at.sequence]!, this.ends[at.sequence]!),
        hasData,
        leafHash,
        path,
      }
    );
  }

  /** Locates the values; returns where the audit path begins, -1 if the line has another form. */
  private split(line: Buffer): number {
    const { slots } = this.form;
    let at = 0;
    for (let index = 0; index < slots.length; index += 1) {
      const slot = slots[index]!;
      if (!matchesAt(line, at, slot.before, 0, slot.before.length)) return -1;
      at += slot.before.length;
      this.starts[index] = at;
      at = this.endOf(line, at, slot);
      if (at < 0) return -1;
      this.ends[index] = at;
    }
    return matchesAt(line, at, PATH, 0, PATH.length) ? at + PATH.length : -1;
  }

  private endOf(line: Buffer, at: number, { kind, first }: Slot): number {
    if (kind === 'repeated') {
      const start = this.starts[first]!;
      const end = this.ends[first]!;
      return matchesAt(line, at, line, start, end) ? at + end - start : -1;
    }
    if (kind === 'sequence') return endOfInteger(line, at);
    if (kind === 'list') return endOfStrings(line, at);
    if (matchesAt(line, at, NULL, 0, NULL.length)) return at + NULL.length;
    if (kind === 'string') return endOfString(line, at);
    this.dataInput.length = SALT_BYTES;
    return this.canonicalizer.write(this.dataInput, line, at, line.length);
  }

  private isIdentityValid(line: Buffer): boolean {
    const { input, identityDigest } = this;
    const { at, identity } = this.form;
    input.length = SALT_BYTES;
    if (!this.decode(line, at.identitySalt, input.bytes, SALT_BYTES)) return false;
    for (let part = 0; part < identity.slots.length; part += 1) {
      input.append(identity.parts[part]!);
      this.copy(line, identity.slots[part]!);
    }
    input.append(identity.parts.at(-1)!);
    return (
      this.decode(line, at.identityDigest, identityDigest, HASH_BYTES) &&
      isHexOf(input.sha256(), identityDigest, 0, HASH_BYTES)
    );
  }

  private isDataValid(line: Buffer): boolean {
    const { dataInput, dataDigest } = this;
    const { at, hasData } = this.form;
    if (this.isNull(line, at.dataDigest))
      return this.isNull(line, at.dataSalt) && (!hasData || this.isNull(line, at.data));
    if (!this.decode(line, at.dataDigest, dataDigest, HASH_BYTES)) return false;
    if (!hasData) return this.isNull(line, at.dataSalt);
    return (
      !this.isNull(line, at.data) &&
      this.decode(line, at.dataSalt, dataInput.bytes, SALT_BYTES) &&
      isHexOf(dataInput.sha256(), dataDigest, 0, HASH_BYTES)
    );
  }

  /**
   * Whether fields that came with a later leaf version are as entries of this one show them. Those depend on which of the
   * others are null; if on more, the line would not pass.
   */
  private areLaterAsShown(line: Buffer): boolean {
    const { later, laterSlots, sealed } = this.form;
    if (later.length === 0) return true;
    const row: Record<string, unknown> = {};
    for (const [column, slot] of sealed) row[column] = this.isNull(line, slot) ? null : true;
    const shown: Partial<LogEntry> = {};
    showLater(later, row, shown);
    return later.every(
      ({ name }, index) => this.text(line, laterSlots[index]!) === JSON.stringify(shown[name]),
    );
  }

  private hashLeaf(line: Buffer): string {
    const { input } = this;
    const { at, leaf, slots } = this.form;
    input.length = 0;
    for (let part = 0; part < leaf.slots.length; part += 1) {
      input.append(leaf.parts[part]!);
      const slot = leaf.slots[part]!;
      if (slot === at.identityDigest) input.hexRange(this.identityDigest, 0, HASH_BYTES);
      else if (slot === at.dataDigest && !this.isNull(line, at.dataDigest))
        input.hexRange(this.dataDigest, 0, HASH_BYTES);
      else if (slots[slot]!.kind === 'list' && this.ends[slot]! - this.starts[slot]! === EMPTY_LIST_BYTES)
        input.append(NULL);
      else this.copy(line, slot);
    }
    input.append(leaf.parts.at(-1)!);
    return input.sha256();
  }

  private copy(line: Buffer, slot: number): void {
    this.input.appendRange(line, this.starts[slot]!, this.ends[slot]!);
  }

  /** As JSON. */
  private text(line: Buffer, slot: number): string {
    return line.toString('utf8', this.starts[slot]!, this.ends[slot]!);
  }

  private isNull(line: Buffer, slot: number): boolean {
    return matchesAt(line, this.starts[slot]!, NULL, 0, NULL.length);
  }

  /** Decodes a base64 value of `count` bytes to the start of `target`; false if it is anything else. */
  private decode(line: Buffer, slot: number, target: Uint8Array, count: number): boolean {
    return decodeBase64(line, this.starts[slot]! + 1, this.ends[slot]! - 1, target, count);
  }

  /** Null if it is not one. Its last hashes are mostly those of the line before. */
  private readPath(line: Buffer, start: number, end: number): readonly Buffer[] | null {
    if (start === end) return [];
    const count = (end - start + 1) / PATH_STEP_BYTES;
    if (!Number.isInteger(count)) return null;
    const path: Buffer[] = [];
    let at = start;
    for (; at < end && !this.isSuffix(line, at, end); at += PATH_STEP_BYTES) {
      const close = at + PATH_HASH_BYTES - 1;
      const isDelimited = close + 1 === end || line[close + 1] === COMMA;
      const hash = Buffer.allocUnsafe(HASH_BYTES);
      if (line[at] !== QUOTE || line[close] !== QUOTE || !isDelimited) return null;
      if (!decodeBase64(line, at + 1, close, hash, HASH_BYTES)) return null;
      path.push(hash);
    }
    this.path = [...path, ...this.path.slice(this.path.length - (count - path.length))];
    this.pathBytes = line.subarray(start, end);
    return this.path;
  }

  /** Whether the last path ends with these bytes. */
  private isSuffix(line: Buffer, start: number, end: number): boolean {
    const { pathBytes } = this;
    const from = pathBytes.length - (end - start);
    return from >= 0 && line.compare(pathBytes, from, pathBytes.length, start, end) === 0;
  }
}
