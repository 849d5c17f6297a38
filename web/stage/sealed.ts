import { onScopeDispose, shallowRef, watch } from 'vue';
import type { Entry } from './entry.js';
import type { Verdict } from './proof.js';

/** Where the keys are that checkpoints are signed with: beside the page, as the server itself is. */
const KEYS = '.well-known/reel-keys';

/** What is found of a sealed entry's proof; null while it is worked out. `again` works it out anew. */
export function useProof(entry: () => Entry | null) {
  const verdict = shallowRef<Verdict | null>(null);
  let under = new AbortController();

  async function check(): Promise<void> {
    under.abort();
    under = new AbortController();
    const { signal } = under;
    const sealed = entry();
    verdict.value = null;
    if (!sealed || sealed.sequence === null) return;
    const found = await judge(sealed, signal).catch((): Verdict => ({ is: 'unchecked', why: 'keys' }));
    if (!signal.aborted) verdict.value = found;
  }

  watch(entry, check, { immediate: true });
  onScopeDispose(() => under.abort());
  return { verdict, again: check };
}

async function judge(entry: Entry, signal: AbortSignal): Promise<Verdict> {
  // There only where the page was fetched over https or from the machine itself.
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (!subtle) return { is: 'unchecked', why: 'crypto' };
  const [{ checkProof }, keys] = await Promise.all([
    import('./proof.js'),
    fetch(new URL(KEYS, document.baseURI), { signal }),
  ]);
  if (!keys.ok) return { is: 'unchecked', why: 'keys' };
  return checkProof(entry, await keys.text(), subtle);
}
