import type { DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';

/** Of the text of all documents, which parsed take up to 250 bytes a character. */
const MAX_KEPT_CHARACTERS = 256 * 1024;
/** What a document takes beside its text, as characters of it. */
const DOCUMENT_CHARACTERS = 500;

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
