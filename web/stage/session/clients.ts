import { computed, shallowRef } from 'vue';
import { askReel } from '../../reel/index.js';
import { ClientsDocument, MeDocument, type MeQuery } from '../generated.js';
import type { View } from '../link.js';
import type { Session } from './session.js';

/** A client of the tenant, by name where that is known. */
export interface Client {
  id: string;
  name: string | null;
}

const none = (): Client[] => [];

const { compare } = new Intl.Collator();
const byName = (one: Client, other: Client) => compare(one.name ?? one.id, other.name ?? other.id);

/** The clients to choose from, and the headers that say which one a request is for. */
export function useClients(session: Session, view: View) {
  const clients = shallowRef<Client[]>([]);
  /** Whether the person may manage the tenant's streams. */
  const mayManageStreams = shallowRef(false);
  /** Tenants whose entries the person may view, by name where that is known. */
  const tenants = shallowRef<Client[]>([]);
  const me = shallowRef<MeQuery['me'] | null>(null);
  /** The client of the requests that start now, instead of the view's; null: none. */
  let otherClient: string | null | undefined;

  const openTenant = () => view.tenant ?? session.tenant.value;

  /** The headers of a request, as it starts. */
  function headers(): Record<string, string> {
    const tenant = openTenant();
    const client = otherClient === undefined ? view.client : otherClient;
    return {
      ...(session.token.value && { Authorization: `Bearer ${session.token.value}` }),
      ...(tenant && { 'X-Tenant-Id': tenant }),
      ...(client && { 'X-Client-Id': client }),
    };
  }

  /** Clients that the person has grants for, and those that have entries. */
  async function load(): Promise<void> {
    // With X-Client-Id the response would hold that client alone.
    const requests = withClient(null, () => [askReel(MeDocument, {}), askReel(ClientsDocument, {})] as const);
    const [granted, found] = await Promise.all([
      requests[0].then((answer) => {
        me.value = answer.me;
        tenants.value = answer.me.tenants
          .filter((each) => each.mayView || each.mayManageStreams)
          .map(({ id, name }) => ({ id, name }))
          .sort(byName);
        const open = answer.me.tenants.filter(isOpen);
        mayManageStreams.value = open.some((tenant) => tenant.mayManageStreams);
        return open.flatMap((tenant) => tenant.clients);
      }, none),
      requests[1].then(
        ({ logStats }) => logStats.clients.flatMap(({ key, label }) => (key ? { id: key, name: label } : [])),
        none,
      ),
    ]);
    const names = new Map<string, string | null>(view.client ? [[view.client, null]] : []);
    for (const { id, name } of [...granted, ...found]) names.set(id, name ?? names.get(id) ?? null);
    clients.value = [...names].map(([id, name]) => ({ id, name })).sort(byName);
  }

  /** Starts requests for another client than the view's, or for none. */
  function withClient<T>(client: string | null, start: () => T): T {
    otherClient = client;
    try {
      return start();
    } finally {
      otherClient = undefined;
    }
  }

  const isOpen = ({ id }: { id: string }) => (openTenant() ?? id) === id;

  const tenant = computed(() => tenants.value.find(isOpen) ?? null);

  return { clients, tenants, tenant, me, mayManageStreams, headers, load, withClient };
}
