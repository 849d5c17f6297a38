import { nextTick, ref } from 'vue';

/** How long a message such as "Link copied" is shown. */
const MESSAGE_MS = 4_000;

/** Short-lived messages for a role=status element. */
export function useAnnouncer() {
  const message = ref('');
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** A repeated message is announced again: screen readers ignore text that does not change. */
  function announce(text: string): void {
    clearTimeout(timer);
    message.value = '';
    void nextTick(() => {
      message.value = text;
    });
    timer = setTimeout(() => {
      message.value = '';
    }, MESSAGE_MS);
  }

  return { message, announce };
}
