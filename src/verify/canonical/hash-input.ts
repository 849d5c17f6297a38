import { hash } from 'node:crypto';
import { RowBytes } from '../../log/entry/row-bytes.js';

/**
 * A buffer in which a salt or prefix and canonical JSON (RFC 8785) are assembled and hashed. Writing past the end has no
 * effect until sha256 returns nothing.
 */
export class HashInput extends RowBytes {
  /** In lower-case hex; empty if the buffer was too small. */
  sha256(): string {
    if (this.length > this.bytes.length) return '';
    return hash('sha256', this.bytes.subarray(0, this.length), 'hex');
  }
}
