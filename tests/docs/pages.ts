import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '..', '..');

/** The pages that users read, by path. */
export const PAGES = [...globSync('*.md', { cwd: root }), ...globSync('docs/*.md', { cwd: root })].sort();

export const pageText = (page: string): string => readFileSync(join(root, page), 'utf8');

export const allText = PAGES.map(pageText).join('\n');

export interface Block {
  /** The first word behind the fence: `sh`, `json`, …; empty where there is none. */
  language: string;
  /** The second one. */
  label: string;
  text: string;
  /** Whether nothing but white space stands between it and the block before. */
  follows: boolean;
}

export function blocksOf(page: string): Block[] {
  const text = pageText(page);
  const blocks: Block[] = [];
  let end = -1;
  for (const match of text.matchAll(/^```(\w*)(?: (\w+))?\n([\s\S]*?)^```$/gm)) {
    const [whole, language = '', label = '', inner = ''] = match;
    const follows = end >= 0 && text.slice(end, match.index).trim() === '';
    blocks.push({ language, label, text: inner, follows });
    end = match.index + whole.length;
  }
  return blocks;
}

/** The text of a page's one block with this label. */
export function labelled(page: string, label: string): string {
  const found = blocksOf(page).filter((block) => block.label === label);
  if (found.length !== 1) throw new Error(`${page}: expected one block ${label}, got ${found.length}`);
  return found[0]!.text;
}
