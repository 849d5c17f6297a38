import type { DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';

/** Of the text of documents, which parsed take up to 250 bytes a character, and what a document takes beside. */
const [MAX_KEPT_CHARACTERS, DOCUMENT_CHARACTERS] = [256 * 1024, 500];

/** Parsed documents that are valid, by their text, so that one which is sent again need not be parsed and validated again. */
export class Documents {
  private readonly kept = new LRUCache<string, DocumentNode>({
    maxSize: MAX_KEPT_CHARACTERS,
    sizeCalculation: (_, text) => text.length + DOCUMENT_CHARACTERS,
  });

  get(text: string): DocumentNode | undefined {
    return this.kept.get(text);
  }

  keep(text: string, document: DocumentNode): void {
    if (!this.kept.has(text)) this.kept.set(text, document);
  }
}
