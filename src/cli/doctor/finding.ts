/** What the doctor found of one thing. */
export interface Finding {
  /** The thing, in a word or two. */
  readonly about: string;
  readonly isWell: boolean;
  /** What was seen; where it is not well, what was expected and what to do. */
  readonly detail: string;
}

export const well = (about: string, detail: string): Finding => ({ about, isWell: true, detail });
export const toDo = (about: string, detail: string): Finding => ({ about, isWell: false, detail });

/** In the words of people: `3 days`, `2 h`, `40 s`. */
export function duration(seconds: number): string {
  if (seconds >= 2 * 86_400) return `${Math.round(seconds / 86_400)} days`;
  if (seconds >= 2 * 3_600) return `${Math.round(seconds / 3_600)} h`;
  if (seconds >= 120) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds)} s`;
}

/** `1.5 GiB`. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let [left, unit] = [bytes, 0];
  for (; left >= 1024 && unit < units.length - 1; unit += 1) left /= 1024;
  return `${unit === 0 ? left : left.toFixed(1)} ${units[unit]}`;
}
