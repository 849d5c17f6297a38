/** Of the line as it is typed, the stretch that differs from the applied line: position and length in UTF-16 units. */
export function changedStretch(typed: string, applied: string): { position: number; length: number } {
  const words = [...typed.matchAll(/\S+/g)];
  const others = applied.split(/\s+/).filter(Boolean);
  const shorter = Math.min(words.length, others.length);
  let before = 0;
  while (before < shorter && words[before]![0] === others[before]) before++;
  let behind = 0;
  while (behind < shorter - before && words.at(-1 - behind)![0] === others.at(-1 - behind)) behind++;
  const [first, last] = [words[before], words.at(-1 - behind)];
  if (!first || !last || last.index < first.index) return { position: 0, length: 0 };
  return { position: first.index, length: last.index + last[0].length - first.index };
}
