/** The known name with the smallest Levenshtein distance. */
export function nearest<T extends string>(name: string, known: readonly T[]): T {
  const short = name.slice(0, MAX_LETTERS).toLowerCase();
  const distances = known.map((each) => distance(short, each.toLowerCase()));
  return known[distances.indexOf(Math.min(...distances))]!;
}

/** The known names, all equally near, that a third of a name's letters, at least one, make out of it. */
export function near<T extends string>(name: string, known: readonly T[]): T[] {
  if (name.length < 3 || name.length > MAX_LETTERS) return [];
  const lower = name.toLowerCase();
  const distances = known.map((each) => distance(lower, each.toLowerCase()));
  const least = Math.min(...distances);
  return known.filter(
    (_, at) => distances[at] === least && least <= Math.max(1, Math.floor(name.length / 3)),
  );
}

/** Longer than any known name. */
const MAX_LETTERS = 100;

function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of Array.from(from).entries()) {
    const next = [index + 1];
    for (let at = 1; at <= to.length; at++) {
      const change = (row[at - 1] as number) + (letter === to[at - 1] ? 0 : 1);
      next.push(Math.min(change, (row[at] as number) + 1, (next[at - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
