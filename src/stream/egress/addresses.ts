import type { LookupAddress, LookupOptions } from 'node:dns';
import { lookup as resolveName } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A name leads to no address that may be connected to, or an address is none. */
export class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED';
}

export interface AddressRules {
  /** Addresses or CIDR blocks that may be connected to though they are not public. */
  readonly allow: readonly string[];
  /** Whether loopback addresses may be. */
  readonly allowsLoopback: boolean;
}

type Block = ReturnType<typeof ipaddr.parseCIDR>;

/** Which addresses streams may connect to: public ones, and those that the operator allows. */
export class Addresses {
  private readonly allowed: readonly Block[];

  constructor(
    private readonly rules: AddressRules,
    private readonly resolve: typeof resolveName = resolveName,
  ) {
    this.allowed = rules.allow.map(blockOf);
  }

  /** Whether an operator's rule names the address. */
  isAllowed(address: string): boolean {
    const parsed = ipaddr.process(address);
    return this.allowed.some(
      ([block, bits]) => block.kind() === parsed.kind() && parsed.match([block, bits] as never),
    );
  }

  permits(address: string): boolean {
    if (!ipaddr.isValid(address)) return false;
    const range = ipaddr.process(address).range();
    if (range === 'unicast') return true;
    return (range === 'loopback' && this.rules.allowsLoopback) || this.isAllowed(address);
  }

  /** Of a host as a URL has it. Errors: AddressRefused for an address that may not be connected to. */
  checkLiteral(host: string): void {
    const bare = host.replace(/^\[|\]$/g, '');
    if (ipaddr.isValid(bare) && !this.permits(bare))
      throw new AddressRefused(`expected a public address, or one of REEL_STREAM_ALLOW, got ${bare}`);
  }

  /** Errors: AddressRefused for an address that no rule of the operator's names; names pass. */
  checkListed(bare: string): void {
    if (ipaddr.isValid(bare) && !this.isAllowed(bare))
      throw new AddressRefused(`expected TLS, or an address of REEL_STREAM_ALLOW, got ${bare}`);
  }

  /** Resolves names for a socket, to addresses that it may connect to alone. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    const asked: LookupOptions = { ...(options as LookupOptions), all: true };
    this.resolve(hostname, asked as LookupOptions & { all: true }, (error, found: LookupAddress[]) => {
      if (error) return callback(error, '', 0);
      const permitted = found.filter(({ address }) => this.permits(address));
      const [first] = permitted;
      if (!first) {
        const refused = new AddressRefused(
          `expected ${hostname} to lead to a public address, or one of REEL_STREAM_ALLOW, got ${found.map(({ address }) => address).join(', ')}`,
        );
        return callback(refused, '', 0);
      }
      if ((options as LookupOptions).all) return callback(null, permitted as never, undefined as never);
      return callback(null, first.address, first.family);
    });
  };
}

function blockOf(text: string): Block {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = ipaddr.parse(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}
