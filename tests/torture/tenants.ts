import { issuePersonToken, type Random } from './built.ts';
import type { Fleet } from './fleet.ts';

export interface Actor {
  id: string;
  email: string;
  name: string;
}

/** One tenant, who acts in it, and the tokens of those who write, read and export in it. */
export interface Tenant {
  id: string;
  /** What it is there for, in reports. */
  name: string;
  clients: readonly string[];
  actors: readonly Actor[];
  /** A person who may view the whole tenant, and writes as themselves. */
  person: string;
  personId: string;
  /** May export the first client's entries. */
  exporter: string;
  /** May manage its streams. */
  manager: string;
}

const ACTORS = 30;

export async function makeTenant(
  fleet: Fleet,
  id: string,
  name: string,
  clients: readonly string[],
  /** Ids of people who acted in it before. */
  earlier: readonly string[],
  random: Random,
): Promise<Tenant> {
  const personId = random.uuid();
  const token = (action: string, clientId: string | null) =>
    issuePersonToken(fleet.jwtSecret, {
      id: personId,
      email: `${name}@example.com`,
      grants: [{ action, scope: clientId === null ? 'ACCOUNT' : 'CLIENT', tenantId: id, clientId }],
      minutes: 24 * 60,
    });
  return {
    id,
    name,
    clients,
    actors: Array.from({ length: ACTORS }, (_, index) => ({
      id: earlier[index] ?? `${name}-actor-${index}`,
      email: `actor${index}@${name}.example`,
      name: `Actor ${index} of ${name}`,
    })),
    person: await token('reel.logs.view', null),
    personId,
    exporter: await token('reel.logs.export', clients[0]!),
    manager: await token('reel.streams.manage', null),
  };
}
