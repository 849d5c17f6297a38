import ipaddr from 'ipaddr.js';
import { parseAddress } from '../entry/ip-address.js';

/**
 * First and last address of an address or CIDR block, as PostgreSQL's inet reads them; null where the text is neither.
 * A block may have bits set past its prefix, as PostgreSQL's own inet may: 10.1.2.3/8 is all of 10.0.0.0/8.
 */
export function addressRange(text: string): { first: string; last: string } | null {
  const [address = '', prefix, ...more] = text.split('/');
  if (more.length > 0 || parseAddress(address) === null) return null;
  // An IPv6 address in hexadecimal groups alone: ipaddr.js takes ::1.2.3.4 for the mapped ::ffff:1.2.3.4.
  const plain = address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
  const bytes = ipaddr.parse(plain).toByteArray();
  const width = bytes.length * 8;
  if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) return null;
  const bits = prefix === undefined ? width : Number(prefix);
  if (bits > width) return null;
  const edge = (ones: boolean) =>
    bytes.map((byte, index) => {
      const free = Math.min(Math.max(8 * (index + 1) - bits, 0), 8);
      const mask = (1 << free) - 1;
      return ones ? byte | mask : byte & ~mask;
    });
  const print = (edgeBytes: number[]) => ipaddr.fromByteArray(edgeBytes).toString();
  return { first: print(edge(false)), last: print(edge(true)) };
}
