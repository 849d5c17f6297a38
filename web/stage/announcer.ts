import { nextTick, ref } from 'vue';

/** How long a passing word such as "Link copied" stands in the status. */
const WORD_MS = 4_000;

/** Words that stand in the status for a while. */
export function useAnnouncer() {
  const word = ref('');
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Said again where it stands there already. */
  function say(text: string): void {
    clearTimeout(timer);
    word.value = '';
    void nextTick(() => {
      word.value = text;
    });
    timer = setTimeout(() => {
      word.value = '';
    }, WORD_MS);
  }

  return { word, say };
}

/** Pages on plain http have no clipboard; there a selection is copied. False where the browser allows neither. */
export async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement as HTMLElement | null;
    const field = document.createElement('textarea');
    field.value = text;
    field.className = 'unseen';
    (document.querySelector('dialog[open]') ?? document.body).append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    focused?.focus();
    return done;
  }
}
