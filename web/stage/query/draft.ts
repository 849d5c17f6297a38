/** Of the line as it is typed, the terms that differ from the applied line: position and length in UTF-16 units. */
export function changedStretch(typed: string, applied: string): { position: number; length: number } {
  const shorter = Math.min(typed.length, applied.length);
  let start = 0;
  while (start < shorter && typed[start] === applied[start]) start++;
  let end = typed.length;
  while (
    end > start &&
    typed.length - end < shorter - start &&
    typed[end - 1] === applied.at(end - 1 - typed.length)
  )
    end--;
  if (typed.slice(start, end).trim() === '') return { position: start, length: 0 };
  // Whole terms.
  while (start > 0 && !/\s/.test(typed[start - 1]!)) start--;
  while (end < typed.length && !/\s/.test(typed[end]!)) end++;
  while (/\s/.test(typed[start]!)) start++;
  while (/\s/.test(typed[end - 1]!)) end--;
  return { position: start, length: end - start };
}
