import { shallowRef } from 'vue';
import { askReel } from '../../reel/index.js';
import { ClientsDocument, MeDocument } from '../generated.js';
import type { View } from '../link.js';
import type { Session } from './session.js';

/** A client of the tenant, by name where that is known. */
export interface Client {
  id: string;
  name: string | null;
}

const none = (): Client[] => [];

/** The clients to choose from, and the headers that say which one a request is for. */
export function useClients(session: Session, view: View) {
  const clients = shallowRef<Client[]>([]);
  /** Whether the person may manage the tenant's streams. */
  const mayManageStreams = shallowRef(false);
  let omitClient = false;

  const openTenant = () => view.tenant ?? session.tenant.value;

  /** The headers of a request, as it starts. */
  function headers(): Record<string, string> {
    const tenant = openTenant();
    return {
      ...(session.token.value && { Authorization: `Bearer ${session.token.value}` }),
      ...(tenant && { 'X-Tenant-Id': tenant }),
      ...(view.client && !omitClient && { 'X-Client-Id': view.client }),
    };
  }

  /** Clients that the person has grants for, and those that have entries. */
  async function load(): Promise<void> {
    // With X-Client-Id the response would hold that client alone.
    omitClient = true;
    const requests = [askReel(MeDocument, {}), askReel(ClientsDocument, {})] as const;
    omitClient = false;
    const [granted, found] = await Promise.all([
      requests[0].then(({ me }) => {
        const open = me.tenants.filter(isOpen);
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
    const { compare } = new Intl.Collator();
    clients.value = [...names]
      .map(([id, name]) => ({ id, name }))
      .sort((a, b) => compare(a.name ?? a.id, b.name ?? b.id));
  }

  const isOpen = ({ id }: { id: string }) => (openTenant() ?? id) === id;

  return { clients, mayManageStreams, headers, load };
}
