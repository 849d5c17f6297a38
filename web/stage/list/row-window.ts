import { computed, onBeforeUnmount, onMounted, type Ref, ref } from 'vue';

/** The greatest height of the list in pixels: browsers draw nothing beyond some 16 million, and some less. */
export const MAX_HEIGHT = 8_000_000;
const OVERSCAN = 8;
/** Rows in the document beside the header's and the active one. */
const MAX_ROWS = 57;

/** Pixels: `total` of all rows, `viewport` of those that are seen at once. */
export interface Extent {
  total: number;
  viewport: number;
}

/** How high the list is in the document. */
export const heightOf = (total: number): number => Math.min(total, MAX_HEIGHT);

/** How far down the rows one is where the list is scrolled to `scrollTop`: farther, where there are more than it may be high. */
export function offsetAt(scrollTop: number, { total, viewport }: Extent): number {
  if (total <= MAX_HEIGHT) return scrollTop;
  // Below the last row there may be more to scroll to.
  return Math.min(1, scrollTop / (MAX_HEIGHT - viewport)) * (total - viewport);
}

/** The other way round. */
export function scrollTopAt(offset: number, { total, viewport }: Extent): number {
  if (total <= MAX_HEIGHT) return offset;
  return (offset / (total - viewport)) * (MAX_HEIGHT - viewport);
}

/** The first row to be in the document, and the one after the last. */
export function rangeAt(
  offset: number,
  viewport: number,
  rowHeight: number,
  count: number,
): [first: number, end: number] {
  const top = Math.floor(offset / rowHeight);
  const end = Math.min(count, Math.ceil((offset + viewport) / rowHeight) + OVERSCAN);
  const first = Math.min(Math.max(0, top - OVERSCAN), Math.max(0, end - 1));
  return [first, Math.min(end, first + MAX_ROWS)];
}

interface Rows {
  count: () => number;
  /** Of the row that stays in the document wherever the list is scrolled to, since it may have the focus. */
  active: () => number;
  /** Pixels. */
  rowHeight: Ref<number>;
}

/** The rows of a long list that are in the document, and where they stand in it. All are of one height. */
export function useRowWindow(scroller: Ref<HTMLElement | undefined>, { count, active, rowHeight }: Rows) {
  const scrollTop = ref(0);
  /** Until it is measured, that of the window: the first rows are then there at once. */
  const viewport = ref(innerHeight);
  const extent = computed(() => ({ total: count() * rowHeight.value, viewport: viewport.value }));
  const offset = computed(() => offsetAt(scrollTop.value, extent.value));
  // As text, which is the same while the same rows are.
  const range = computed(() => rangeAt(offset.value, viewport.value, rowHeight.value, count()).join());
  /** Where the list is scaled, rows stand where they are seen, and not where they would be. */
  const shift = computed(() =>
    extent.value.total > MAX_HEIGHT ? Math.round(scrollTop.value - offset.value) : 0,
  );
  const indexes = computed(() => {
    const [first = 0, end = 0] = range.value.split(',').map(Number);
    const shown = Array.from({ length: end - first }, (_, at) => first + at);
    const kept = active();
    if (kept >= count() || (kept >= first && kept < end)) return shown;
    return kept < first ? [kept, ...shown] : [...shown, kept];
  });
  const items = computed(() =>
    indexes.value.map((index) => ({ index, start: index * rowHeight.value + shift.value })),
  );
  const height = computed(() => heightOf(extent.value.total));

  /** The header, which stays, takes some of the height. */
  const headOf = (element: HTMLElement) => element.querySelector<HTMLElement>('.head')?.offsetHeight ?? 0;

  function measure(): void {
    const element = scroller.value;
    if (!element) return;
    viewport.value = Math.max(0, element.clientHeight - headOf(element));
    scrollTop.value = element.scrollTop;
  }

  function scrollTo(to: number): void {
    if (!scroller.value) return;
    scroller.value.scrollTop = scrollTopAt(to, extent.value);
    measure();
  }

  /** Scrolls as little as it takes to see a row. */
  function scrollToRow(index: number): void {
    const start = index * rowHeight.value;
    const least = start + rowHeight.value - viewport.value;
    if (start < offset.value) scrollTo(start);
    else if (least > offset.value) scrollTo(least);
  }

  let observer: ResizeObserver | undefined;
  onMounted(() => {
    measure();
    observer = new ResizeObserver(measure);
    observer.observe(scroller.value!);
  });
  onBeforeUnmount(() => observer?.disconnect());

  return { items, height, offset, viewport, measure, scrollTo, scrollToRow };
}
