import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress, peerAddress } from '../../src/log/entry/ip-address.js';
import { createDatabase } from '../support/postgres.js';

describe('addresses', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['0.0.0.0', '0.0.0.0'],
    ['::', '::'],
    ['::1', '::1'],
    ['::5', '::5'],
    ['::1:2', '::0.1.0.2'],
    ['::1:0', '::0.1.0.0'],
    ['::1.2.3.4', '::1.2.3.4'],
    ['::FFFF:1.2.3.4', '::ffff:1.2.3.4'],
    ['0:0:0:0:0:ffff:102:304', '::ffff:1.2.3.4'],
    ['::ffff:0:5', '::ffff:0.0.0.5'],
    ['::ffff:5', '::255.255.0.5'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['2001:0DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1::', '1::'],
    ['::ffff:0:1.2.3.4', '::ffff:0:102:304'],
  ])('%s is kept as %s', (said, kept) => {
    expect(parseAddress(said)).toBe(kept);
    expect(parseAddress(kept)).toBe(kept);
  });

  it.each([
    '',
    ' 10.1.2.3',
    '10.1.2.3 ',
    '10.1.2',
    '256.1.1.1',
    '0x7f.1.1.1',
    '10.1.2.3/32',
    '[::1]',
    '::1%1',
    ':::',
    'g::1',
    '1:2:3:4:5:6:7:8:9',
  ])('refuses %j', (said) => {
    expect(parseAddress(said)).toBeNull();
  });

  it('of a connection lose their zone and the dual-stack prefix', () => {
    expect(peerAddress('fe80::1%eth0')).toBe('fe80::1');
    expect(peerAddress('::ffff:127.0.0.1')).toBe('127.0.0.1');
    expect(peerAddress('unix')).toBeNull();
    expect(peerAddress(null)).toBeNull();
  });

  it('are printed as PostgreSQL prints them', async () => {
    const part = fc.oneof(
      { weight: 3, arbitrary: fc.constant('0') },
      fc.constantFrom('1', 'ffff', 'FFFF', '00ab', 'a0'),
    );
    const sparse = fc.array(part, { minLength: 8, maxLength: 8 }).map((parts) => parts.join(':'));
    const addresses = fc.sample(fc.oneof(sparse, fc.ipV6(), fc.ipV4()), 5000);
    const database = await createDatabase();
    try {
      const rows = await database.query(
        'select host(a::inet) as printed from unnest($1::text[]) with ordinality as t(a, n) order by n',
        [addresses],
      );
      expect(addresses.map(parseAddress)).toEqual(rows.map((row) => row.printed));
    } finally {
      await database.drop();
    }
  });
});
