import type { SeededRandom } from './seeded-random.js';

/** A made-up person of a tenant. */
export interface SamplePerson {
  id: string;
  email: string;
  name: string;
  /** The client the person belongs to; null: the tenant's own staff. */
  clientId: string | null;
  ipAddress: string;
  userAgent: string;
}

const FIRST = (
  'Ana Bruno Chiara Daan Elif Fátima Göran Hana Ivan Jun Kavya Léa Mateus Nia Olivia Paulo Quentin Rafaela Søren ' +
  'Tereza Umar Valentina Wei Ximena Yusuf Zoë'
).split(' ');
const LAST = (
  'Souza Lima Rossi Vries Yılmaz Haddad Öberg Nováková Petrov Tanaka Iyer Martin Rocha Okafor Smith Ferreira Dubois ' +
  'Costa Nielsen Dvořák Khan García Zhang Hernández Demir Müller'
).split(' ');

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36',
];

/** Addresses of the blocks that are reserved for documentation (RFC 5737, RFC 3849). */
const address = (random: SeededRandom): string =>
  random.chance(0.2)
    ? `2001:db8:${random.integer(1, 9999).toString(16)}::${random.integer(1, 0xffff).toString(16)}`
    : `${random.pick(['192.0.2', '198.51.100', '203.0.113'])}.${random.integer(1, 254)}`;

export function samplePeople(
  random: SeededRandom,
  count: number,
  domain: string,
  clientIds: readonly string[],
): SamplePerson[] {
  return Array.from({ length: count }, (_, index) => {
    const [first, last] = [random.pick(FIRST), random.pick(LAST)];
    return {
      id: random.uuid(),
      // Numbered from the second alphabet on, so that no two share an address.
      email: `${plain(first)}.${plain(last)}${index < 8 ? '' : index}@${domain}`,
      name: `${first} ${last}`,
      clientId: random.chance(0.6) ? random.pick(clientIds) : null,
      ipAddress: address(random),
      userAgent: random.pick(AGENTS),
    };
  });
}

const plain = (name: string) =>
  name
    .replace('ı', 'i')
    .replace('ø', 'o')
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase();
