import { LRUCache } from 'lru-cache';
import { type IdRange, millisecondsOf, monthsOfSpan } from '../walk/id-range.js';

/** So many tenants and lengths of pages are remembered; of others a page is looked for everywhere. */
const MOST = 10_000;

/** A page whose entries are wanted whatever they are. */
export interface WholePage {
  readonly tenantId: string;
  /** So many entries, those before it that are skipped among them. */
  readonly most: number;
  /** Where they may be. */
  readonly range: IdRange;
  /** Newest first. */
  readonly descending: boolean;
}

/**
 * How much time pages took that were read before, by tenant and length: the next one is looked for in so many months alone, since each
 * month is a table, and a statement begins with opening them all.
 */
export class PageSpans {
  private readonly known = new LRUCache<string, number>({ max: MOST });

  /** Months in which the page probably is; null: in any. */
  monthsOf(page: WholePage): IdRange | null {
    const span = this.known.get(keyOf(page));
    return span === undefined ? null : monthsOfSpan(page.range, page.descending, beganAt(page), span);
  }

  /** `last`: the id of the page's last entry; null where there are fewer than were wanted. */
  took(page: WholePage, last: string | null): void {
    if (last === null) this.known.delete(keyOf(page));
    else this.known.set(keyOf(page), Math.abs(millisecondsOf(last) - beganAt(page)));
  }
}

const keyOf = ({ tenantId, most }: WholePage) => `${tenantId} ${most}`;

const beganAt = ({ range, descending }: WholePage): number =>
  descending ? Math.min(millisecondsOf(range.high), Date.now()) : millisecondsOf(range.low);
