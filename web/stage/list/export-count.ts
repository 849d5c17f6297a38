/** The message for how many entries match: it says that there are none, or how many, only where all were counted. */
export function exportCountMessage(precision: string, needsClient: boolean): string {
  const isExact = precision === 'EXACT';
  if (needsClient) return isExact ? 'export.ofAll' : 'export.ofAllAtLeast';
  return isExact ? 'export.count' : 'export.atLeast';
}
