/**
 * A reading that anybody may ask for, however often: whoever asks while it goes on, or within `ms` of its end, gets the same.
 * What failed is asked for again by the next.
 */
export function sharedCall<T>(read: () => Promise<T>, ms: number): () => Promise<T> {
  let last: Promise<T> | null = null;
  let until = Number.POSITIVE_INFINITY;
  return () => {
    if (last !== null && performance.now() < until) return last;
    until = Number.POSITIVE_INFINITY;
    const reading = read();
    last = reading;
    reading.then(
      () => {
        until = performance.now() + ms;
      },
      () => {
        last = null;
      },
    );
    return reading;
  };
}
