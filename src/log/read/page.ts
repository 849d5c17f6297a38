import 'reflect-metadata';
import { registerEnumType } from 'type-graphql';
import { badInput } from '../../errors.js';
import { parseUuid } from '../../query-line/values.js';

export enum LogOrder {
  NEWEST_FIRST = 'NEWEST_FIRST',
  OLDEST_FIRST = 'OLDEST_FIRST',
}
registerEnumType(LogOrder, {
  name: 'LogOrder',
  description: 'Ties are broken by id, so every order is total.',
  valuesConfig: {
    NEWEST_FIRST: { description: 'From the newest entry to the oldest.' },
    OLDEST_FIRST: { description: 'From the oldest entry to the newest.' },
  },
});

/** How a page of the list is asked for: by cursor (first/after, last/before) or by number (first with page). */
export interface PageRequest {
  orderBy?: LogOrder;
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
  page?: number | null;
}

/** Items of a list that belongs to one entry or one count. */
export const MAX_ITEMS = 100;

/**
 * Checks a page request for the reader: sizes and number within bounds, cursors in stored form, no contradictions.
 * Errors: BAD_USER_INPUT.
 */
export function checkPage(request: PageRequest, limits: { readonly maxPageSize: number }): PageRequest {
  const { orderBy, first, after, last, before, page } = request;
  if (first != null) checkSize('first', first, limits.maxPageSize);
  if (last != null) checkSize('last', last, limits.maxPageSize);
  if (page != null && (!Number.isSafeInteger(page) || page < 1))
    throw badInput('page', 'an integer of at least 1', page);
  refuseBoth(request, 'first', 'last');
  refuseBoth(request, 'after', 'before');
  refuseBoth(request, 'page', 'last');
  refuseBoth(request, 'page', 'after');
  refuseBoth(request, 'page', 'before');
  return {
    orderBy,
    first,
    last,
    page,
    after: readCursor('after', after),
    before: readCursor('before', before),
  };
}

/** Errors: BAD_USER_INPUT unless it is an integer from 1 to `max`. */
export function checkSize(field: string, size: number, max = MAX_ITEMS): number {
  if (!Number.isInteger(size) || size < 1 || size > max)
    throw badInput(field, `an integer from 1 to ${max}`, size);
  return size;
}

function refuseBoth(request: PageRequest, one: keyof PageRequest, other: keyof PageRequest): void {
  if (request[one] != null && request[other] != null)
    throw badInput(one, `${one} or ${other}, not both`, request[one]);
}

function readCursor(field: string, cursor: string | null | undefined): string | null {
  if (cursor == null) return null;
  const id = parseUuid(cursor);
  if (id === null) throw badInput(field, 'a cursor returned by Reel', cursor);
  return id;
}
