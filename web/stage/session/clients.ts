import { shallowRef } from 'vue';
import { askReel } from '../../reel/index.js';
import { ClientsDocument } from '../generated.js';
import type { View } from '../link.js';
import type { Session } from './session.js';

/** The clients to choose from, and the headers that say which one a request is for. */
export function useClients(session: Session, view: View) {
  const clients = shallowRef<string[]>([]);
  const names = shallowRef<ReadonlyMap<string, string>>(new Map());
  let omitClient = false;

  /** The headers of a request, as it starts. */
  function headers(): Record<string, string> {
    const tenant = view.tenant ?? session.tenant.value;
    return {
      ...(session.token.value && { Authorization: `Bearer ${session.token.value}` }),
      ...(tenant && { 'X-Tenant-Id': tenant }),
      ...(view.client && !omitClient && { 'X-Client-Id': view.client }),
    };
  }

  /** Clients that the token has grants for, and those that have entries. */
  async function load(): Promise<void> {
    const granted = (session.claims.value?.grants ?? []).flatMap(({ client_id, tenant_id }) =>
      client_id && (!session.tenant.value || tenant_id === session.tenant.value) ? [client_id] : [],
    );
    // With X-Client-Id the response would hold that client alone.
    omitClient = true;
    const request = askReel(ClientsDocument, {});
    omitClient = false;
    const counted = await request.then(
      ({ logStats }) => logStats.clients,
      () => [],
    );
    const found = counted.flatMap(({ key }) => key ?? []);
    names.value = new Map(counted.flatMap(({ key, label }) => (key && label ? [[key, label] as const] : [])));
    clients.value = [...new Set([...granted, ...found, ...(view.client ? [view.client] : [])])].sort();
  }

  /** A client by its name, where a grant says it. */
  const nameOf = (id: string) => names.value.get(id) ?? id;

  return { clients, nameOf, headers, load };
}
