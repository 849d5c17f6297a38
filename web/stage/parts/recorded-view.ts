import { h, type VNode } from 'vue';
import { piecesOf } from './recorded-text.js';

/** A text as somebody recorded it: isolated from what stands beside it, and with marks for characters that cannot be seen. */
export function recordedView(text: string, { name = '', title }: RecordedLook = {}): VNode {
  const pieces = piecesOf(text);
  const [first] = pieces;
  return h(
    'bdi',
    { class: name ? `recorded ${name}` : 'recorded', title },
    pieces.length === 1 && !first!.isMark
      ? first!.text
      : pieces.map(({ text: piece, isMark }) => (isMark ? h('span', { class: 'unseen' }, piece) : piece)),
  );
}

/** Classes, and a tooltip. */
interface RecordedLook {
  name?: string;
  title?: string | undefined;
}
