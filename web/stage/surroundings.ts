import { shallowRef } from 'vue';
import { askReel } from '../reel/index.js';
import { ClientsDocument, VocabularyDocument, type VocabularyQuery } from './generated.js';
import type { View } from './link.js';
import type { Session } from './session.js';

/** What there is to choose from in this tenant: words for the query line, and clients. */
export function useSurroundings(session: Session, view: View) {
  const vocabulary = shallowRef<VocabularyQuery['logStats'] | null>(null);
  const clients = shallowRef<string[]>([]);
  let withoutClient = false;

  async function loadVocabulary(): Promise<void> {
    try {
      vocabulary.value = (await askReel(VocabularyDocument, {})).logStats;
    } catch {
      // Completion then knows fields and severities alone.
    }
  }

  /** Asked for without a client, since with one there is only that one. */
  async function loadClients(): Promise<void> {
    const granted = (session.claims.value?.grants ?? []).flatMap(({ client_id, tenant_id }) =>
      client_id && (!session.tenant.value || tenant_id === session.tenant.value) ? [client_id] : [],
    );
    withoutClient = true;
    const asking = askReel(ClientsDocument, {});
    withoutClient = false;
    const seen = await asking.then(
      ({ logStats }) => logStats.clients.flatMap(({ key }) => key ?? []),
      () => [],
    );
    clients.value = [...new Set([...granted, ...seen, ...(view.client ? [view.client] : [])])].sort();
  }

  /** What goes with every call. Read when a call begins. */
  function headers(): Record<string, string> {
    const tenant = view.tenant ?? session.tenant.value;
    return {
      ...(session.token.value && { Authorization: `Bearer ${session.token.value}` }),
      ...(tenant && { 'X-Tenant-Id': tenant }),
      ...(view.client && !withoutClient && { 'X-Client-Id': view.client }),
    };
  }

  async function load(): Promise<void> {
    await Promise.all([loadVocabulary(), loadClients()]);
  }

  return { vocabulary, clients, headers, load };
}
