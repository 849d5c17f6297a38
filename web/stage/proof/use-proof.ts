import { onScopeDispose, shallowRef, watch } from 'vue';
import type { ProofResult, ProvableEntry } from './check.js';

/** The public keys, relative to the page. */
const KEYS_URL = '.well-known/reel-keys';

/** Checks the proof of a sealed entry whenever the entry changes. Null while it is being checked. */
export function useProof(entry: () => ProvableEntry | null) {
  const result = shallowRef<ProofResult | null>(null);
  let controller = new AbortController();

  async function check(): Promise<void> {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    const sealed = entry();
    result.value = null;
    if (!sealed || sealed.sequence === null) return;
    const checked = await fetchKeysAndCheck(sealed, signal).catch(
      (): ProofResult => ({ status: 'unchecked', missing: 'keys' }),
    );
    if (!signal.aborted) result.value = checked;
  }

  watch(entry, check, { immediate: true });
  onScopeDispose(() => controller.abort());
  return { result, check };
}

async function fetchKeysAndCheck(entry: ProvableEntry, signal: AbortSignal): Promise<ProofResult> {
  // Browsers define it in secure contexts only: on https, and on localhost.
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (!subtle) return { status: 'unchecked', missing: 'crypto' };
  const [{ checkProof }, keys] = await Promise.all([
    import('./check.js'),
    fetch(new URL(KEYS_URL, document.baseURI), { signal }),
  ]);
  if (!keys.ok) return { status: 'unchecked', missing: 'keys' };
  return checkProof(entry, await keys.text(), subtle);
}
