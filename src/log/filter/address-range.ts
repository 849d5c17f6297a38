import ipaddr from 'ipaddr.js';
import { normalizeAddress, parseAddress } from '../entry/ip-address.js';

/** The first and last address of a block, both as PostgreSQL's inet reads them. */
export interface AddressRange {
  readonly first: string;
  readonly last: string;
}

/** Of the mapped block ::ffff:0:0/96. */
const MAPPED_BITS = 96;

/**
 * The addresses that an address in any spelling or a CIDR block stands for: for IPv4 its own and, as entries of leaf
 * version 1 may have them, the mapped ones (::ffff:10.0.0.1). null where the text is neither. A block may have bits set
 * past its prefix, as PostgreSQL's inet may: 10.1.2.3/8 is all of 10.0.0.0/8.
 */
export function addressRanges(text: string): AddressRange[] | null {
  const [given = '', prefix, ...more] = text.split('/');
  if (more.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return null;
  const address = prefix === undefined ? normalizeAddress(given) : parseAddress(given);
  if (address === null) return null;
  const bytes = bytesOf(address);
  const width = bytes.length * 8;
  const bits = prefix === undefined ? width : Number(prefix);
  if (bits > width) return null;
  if (width === 32) return [range(bytes, bits), range(mapped(bytes), bits + MAPPED_BITS)];
  const isMapped = bits >= MAPPED_BITS && bytes.slice(0, 12).join() === mapped([]).join();
  return isMapped ? [range(bytes.slice(12), bits - MAPPED_BITS), range(bytes, bits)] : [range(bytes, bits)];
}

function bytesOf(address: string): number[] {
  // An IPv6 address in hexadecimal groups alone: ipaddr.js takes ::1.2.3.4 for the mapped ::ffff:1.2.3.4.
  const plain = address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
  return ipaddr.parse(plain).toByteArray();
}

const mapped = (bytes: readonly number[]): number[] => [...Array<number>(10).fill(0), 255, 255, ...bytes];

function range(bytes: readonly number[], bits: number): AddressRange {
  const edge = (ones: boolean) => {
    const all = bytes.map((byte, index) => {
      const free = Math.min(Math.max(8 * (index + 1) - bits, 0), 8);
      const mask = (1 << free) - 1;
      return ones ? byte | mask : byte & ~mask;
    });
    return ipaddr.fromByteArray(all).toString();
  };
  return { first: edge(false), last: edge(true) };
}
