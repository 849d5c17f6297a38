import type { Ref } from 'vue';
import { type LogFilterInput, ReelError } from '../../reel/index.js';
import { RANGES, type View } from '../link.js';
import { trimInstant } from '../parts/times.js';
import type { Preferences } from '../preferences.js';
import { pinnedLine, termsOf } from '../query/edit.js';
import type { QueryErrorState } from '../query/error.js';
import type { Session } from '../session/session.js';
import type { useUrlState } from '../url-state.js';
import type { useOpenView } from '../views/open-view.js';
import type { SavedViews } from '../views/saved.js';
import { isDataColumn } from './columns.js';
import type { Counts } from './counts.js';
import type { Entries } from './entries.js';
import { type Following, isOver } from './following.js';

interface Asked {
  view: View;
  session: Session;
  views: SavedViews;
  saved: ReturnType<typeof useOpenView>;
  preferences: Preferences;
  zone: Readonly<Ref<string>>;
  navigate: ReturnType<typeof useUrlState>['navigate'];
  entries: Entries;
  counts: Counts;
  following: Following;
  queryErrors: QueryErrorState;
  /** Index of the row that keyboard shortcuts act on. */
  activeRow: Ref<number>;
}

/** Loads the list that the view asks for, with its counts, and lets it be followed from there. */
export function useListed(asked: Asked) {
  const { view, session, views, saved, preferences, zone, navigate } = asked;
  const { entries, counts, following, queryErrors, activeRow } = asked;
  /** When the list was last loaded; relative ranges end here. */
  let loadedAt = Date.now();
  /** Counts what the list was asked. */
  let question = 0;

  /** The range as instants. */
  function timeSpan(): { from: string | null; to: string | null } {
    if (view.range) return { from: new Date(loadedAt - RANGES[view.range]).toISOString(), to: null };
    return { from: view.from, to: view.to };
  }

  /** The same with both ends, so that it will show the same tomorrow. */
  function fixedSpan(): { from: string | null; to: string } {
    const { from, to } = timeSpan();
    const first = from ?? counts.buckets.value[0]?.start ?? null;
    const last = to ?? new Date(loadedAt).toISOString();
    return { from: first && trimInstant(first), to: trimInstant(last) };
  }

  function filter(): LogFilterInput {
    const { from, to } = timeSpan();
    return { ...(view.q && { query: view.q }), ...(from && { startDate: from }), ...(to && { endDate: to }) };
  }

  /** The line in a time zone of any kind. */
  function pinned(line: string): string {
    try {
      return pinnedLine(line, zone.value);
    } catch {
      // A line with a fault shows the fault.
      return line;
    }
  }

  /** The filter in a time zone of any kind, for what is asked for without one. */
  function pinnedFilter(): LogFilterInput {
    const { query, ...others } = filter();
    return { ...others, ...(query && { query: pinned(query) }) };
  }

  function countedFilter(): LogFilterInput {
    const current = filter();
    const newest = view.live && following.newestCome();
    return newest ? { ...current, endDate: newest.createdAt } : current;
  }

  /** Resolves when the rows are there; `withCounts`: and everything that is counted. */
  async function load(withCounts = true): Promise<void> {
    question += 1;
    const asked = question;
    if (!session.token.value) return;
    if (view.page) {
      following.stop();
      return;
    }
    if (saved.isWaiting.value) return;
    const unknown = view.v !== null && view.isAsSaved && !saved.openView.value;
    if (unknown) {
      following.stop();
      entries.fail(views.error.value ?? new ReelError('NOT_FOUND', `No view ${view.v}`));
      counts.clear();
      return;
    }
    loadedAt = Date.now();
    if (view.live && isOver(view)) navigate({ live: false }, 'replace');
    following.reset();
    try {
      if (view.q) termsOf(view.q, zone.value);
      queryErrors.queryError.value = null;
    } catch (cause) {
      refuse(cause, view.q);
      return;
    }
    const withData = preferences.columns.value.some(({ key }) => isDataColumn(key));
    const rowsLoaded = entries.load({
      filter: filter(),
      oldest: view.oldest,
      timeZone: zone.value,
      withData,
    });
    const ready = rowsLoaded.then(async (isLoaded) => {
      if (isLoaded && view.live) await following.findLastSealed();
      return isLoaded;
    });
    const countsLoaded = counts.load(countedFilter, zone.value, ready);
    if (await rowsLoaded) activeRow.value = 0;
    // Another one may have been asked for meanwhile.
    if ((await ready) && view.live && asked === question) following.start(pinnedFilter());
    if (withCounts) await countsLoaded;
  }

  /** Shows a fault of a line in place of its answer. */
  function refuse(cause: unknown, line: string): void {
    question += 1;
    following.reset();
    queryErrors.showQueryError(cause, line);
    entries.fail(new ReelError('BAD_USER_INPUT', (cause as Error).message));
    counts.clear();
  }

  return { load, refuse, pinned, pinnedFilter, timeSpan, fixedSpan };
}
