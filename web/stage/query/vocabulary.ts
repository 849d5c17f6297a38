import { shallowRef } from 'vue';
import { askReel } from '../../reel/index.js';
import { VocabularyDocument, type VocabularyQuery } from '../generated.js';

export type Vocabulary = VocabularyQuery['logStats'];

/** The modules, actions and severities of this tenant, for completion. Null until they are loaded, or where that fails. */
export function useVocabulary() {
  const vocabulary = shallowRef<Vocabulary | null>(null);

  async function load(): Promise<void> {
    try {
      vocabulary.value = (await askReel(VocabularyDocument, {})).logStats;
    } catch {
      // Completion then offers fields and severities only.
    }
  }

  return { vocabulary, load };
}
