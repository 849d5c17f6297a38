import { shallowRef } from 'vue';
import { askReel, type LogFilterInput, type ReelError, type StatsInterval } from '../reel/index.js';
import type { Row } from './entries.js';
import {
  BreakdownDocument,
  type BreakdownQuery,
  type Operation,
  TimelineDocument,
  type TimelineQuery,
} from './generated.js';

export type Bucket = TimelineQuery['logStats']['timeline'][number];
export type Facets = BreakdownQuery['logStats'];
type Counted = { key: string | null; count: number };

const DAY_MS = 86_400_000;
/** How long a filter stands before what it matches is counted. */
const SETTLED_MS = 200;
/** As many actors are named at once; a request may hold 30 aliases. */
const NAMED = 25;

/** Bars neither too few nor too many for the time they span. */
export function intervalFor(ms: number): StatsInterval {
  const days = ms / DAY_MS;
  return days <= 8 ? 'HOUR' : days <= 120 ? 'DAY' : days <= 900 ? 'WEEK' : 'MONTH';
}

const more = (list: readonly Counted[], key: string | null): Counted[] =>
  list.some((each) => each.key === key)
    ? list.map((each) => (each.key === key ? { ...each, count: each.count + 1 } : each))
    : [...list, { key, count: 1 }];

/** What is counted beside the list: the total with its spread over time, and the most frequent values. */
export function useCounts() {
  const total = shallowRef<number | null>(null);
  const buckets = shallowRef<readonly Bucket[]>([]);
  const interval = shallowRef<StatsInterval>('DAY');
  const timelineError = shallowRef<ReelError | null>(null);
  const facets = shallowRef<Facets | null>(null);
  const facetsError = shallowRef<ReelError | null>(null);
  const isLoading = shallowRef(true);
  const actors = shallowRef<Record<string, string>>({});
  let under = new AbortController();

  async function loadTimeline(filter: LogFilterInput, timeZone: string, signal: AbortSignal): Promise<void> {
    const ask = (step: StatsInterval) =>
      askReel(TimelineDocument, { filter, timeZone, interval: step }, signal);
    const { startDate, endDate } = filter;
    let step = startDate
      ? intervalFor((endDate ? Date.parse(endDate) : Date.now()) - Date.parse(startDate))
      : 'WEEK';
    let { logStats: answer } = await ask(step);
    const [first, last] = [answer.timeline[0], answer.timeline.at(-1)];
    if (!startDate && first && last) {
      // How long all time is only shows now.
      const fitting = intervalFor(Date.parse(last.end) - Date.parse(first.start));
      if (fitting !== step) {
        step = fitting;
        answer = (await ask(step)).logStats;
      }
    }
    interval.value = step;
    total.value = answer.totalEntries;
    buckets.value = answer.timeline;
  }

  async function loadFacets(filter: LogFilterInput, signal: AbortSignal): Promise<void> {
    facets.value = (await askReel(BreakdownDocument, { filter }, signal)).logStats;
    // Without their names actors are shown by their ids.
    await nameActors(facets.value.actors.slice(0, NAMED), signal).catch(() => {});
  }

  /** Facets count actors by id; their names stand in their entries. */
  async function nameActors(list: readonly Counted[], signal = under.signal): Promise<void> {
    const ids = list.flatMap(({ key }) => (key && !actors.value[key] ? [key] : [])).slice(0, NAMED);
    if (ids.length === 0) return;
    type Named = Record<
      string,
      { nodes: { actorId: string; actorName: string | null; actorEmail: string | null }[] }
    >;
    const fields = ids.map(
      (id, index) =>
        `a${index}:logs(first:1 filter:{actorIds:["${id}"]}){nodes{actorId actorName actorEmail}}`,
    );
    const answer = await askReel(`query Actors{${fields.join(' ')}}` as Operation<Named, object>, {}, signal);
    const found: Record<string, string> = { ...actors.value };
    for (const { nodes } of Object.values(answer))
      for (const { actorId, actorName, actorEmail } of nodes)
        found[actorId] = actorName ?? actorEmail ?? actorId;
    actors.value = found;
  }

  /** Begins once `listed` is settled: counting looks at far more than the first rows, which are waited for. */
  async function load(filter: LogFilterInput, timeZone: string, listed: Promise<unknown>): Promise<void> {
    under.abort();
    under = new AbortController();
    const { signal } = under;
    isLoading.value = true;
    const into = (error: typeof timelineError) => (cause: ReelError) => {
      if (!signal.aborted) error.value = cause;
    };
    timelineError.value = null;
    facetsError.value = null;
    await listed.catch(() => {});
    // Of filters that change in quick succession only the one that stays is counted.
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    if (signal.aborted) return;
    await Promise.all([
      loadTimeline(filter, timeZone, signal).catch((cause) => {
        into(timelineError)(cause);
        if (!signal.aborted) {
          buckets.value = [];
          total.value = null;
        }
      }),
      loadFacets(filter, signal).catch((cause) => {
        into(facetsError)(cause);
        if (!signal.aborted) facets.value = null;
      }),
    ]);
    if (!signal.aborted) isLoading.value = false;
  }

  /** Counts entries that came in live, without asking again. */
  function count(rows: readonly Row[]): void {
    for (const row of rows) {
      if (total.value !== null) total.value++;
      buckets.value = counted(buckets.value, row);
      if (facets.value)
        facets.value = {
          modules: more(facets.value.modules, row.module),
          actions: more(facets.value.actions, row.action),
          severities: more(facets.value.severities, row.severity),
          actors: more(facets.value.actors, row.actorId),
        };
      if (row.actorId && !actors.value[row.actorId] && (row.actorName ?? row.actorEmail))
        actors.value = { ...actors.value, [row.actorId]: (row.actorName ?? row.actorEmail)! };
    }
  }

  function clear(): void {
    under.abort();
    total.value = null;
    buckets.value = [];
    isLoading.value = false;
  }

  return {
    total,
    buckets,
    interval,
    timelineError,
    facets,
    facetsError,
    isLoading,
    actors,
    load,
    count,
    clear,
    nameActors,
  };
}

export type Counts = ReturnType<typeof useCounts>;

/** The bucket that an entry falls into, one more; a later one where none is long enough. */
function counted(buckets: readonly Bucket[], row: Row): readonly Bucket[] {
  const at = Date.parse(row.createdAt);
  const index = buckets.findLastIndex(({ start }) => Date.parse(start) <= at);
  const found = buckets[index];
  if (!found) return buckets;
  if (at < Date.parse(found.end)) {
    const grown = {
      ...found,
      count: found.count + 1,
      bySeverity: more(found.bySeverity, row.severity) as Bucket['bySeverity'],
    };
    return buckets.with(index, grown);
  }
  const length = Date.parse(found.end) - Date.parse(found.start);
  const end = new Date(Date.parse(found.end) + length).toISOString();
  return counted([...buckets, { start: found.end, end, count: 0, bySeverity: [] }], row);
}
