/** A table; `|` in cells is escaped, columns that are empty in every row are left out. Empty if there are no rows. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const used = header.map((_, column) => rows.some((row) => row[column]));
  const line = (cells: readonly string[]) =>
    `| ${cells
      .filter((_, column) => used[column])
      .map((cell) => cell.replaceAll('|', '\\|'))
      .join(' | ')} |`;
  if (rows.length === 0) return '';
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Paragraphs, tables and headings, separated by empty lines; empty ones are left out. */
export const markdownBlocks = (blocks: readonly (string | null | undefined)[]): string =>
  `${blocks.filter(Boolean).join('\n\n')}\n`;
