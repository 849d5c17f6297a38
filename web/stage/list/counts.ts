import { shallowRef } from 'vue';
import { askReel, type LogFilterInput, type ReelError, type StatsInterval } from '../../reel/index.js';
import { BreakdownDocument, type BreakdownQuery, TimelineDocument } from '../generated.js';
import { type Bucket, emptyTimeline, extended, type Steps, type Stopped } from './buckets.js';
import type { Row } from './entries.js';

export type Facets = BreakdownQuery['logStats'];
type Count = { key: string | null; label?: string | null; count: number };

const DAY_MS = 86_400_000;
/** How long a filter must stay the same before it is counted. */
const DEBOUNCE_MS = 200;
/** The interval that gives a readable number of bars. */
export function intervalFor(ms: number): StatsInterval {
  const days = ms / DAY_MS;
  if (ms <= 3 * 3_600_000) return 'MINUTE';
  return days <= 8 ? 'HOUR' : days <= 120 ? 'DAY' : days <= 900 ? 'WEEK' : 'MONTH';
}

const increment = <T extends Count>(list: readonly T[], added: Omit<T, 'count'>): T[] =>
  list.some(({ key }) => key === added.key)
    ? list.map((each) =>
        each.key === added.key ? { ...each, ...withoutNull(added), count: each.count + 1 } : each,
      )
    : [...list, { ...added, count: 1 } as T];

/** A name that is known already is kept. */
const withoutNull = <T extends { label?: string | null | undefined }>(added: T) => {
  const { label, ...others } = added;
  return label === null ? others : added;
};

const stoppedOf = ({
  precision,
  searchedUntil,
}: {
  precision: string;
  searchedUntil: string | null;
}): Stopped | null => (precision === 'AT_LEAST' ? { searchedUntil } : null);

/** The actor of an entry as the facet has actors. */
const actorKey = ({ actorId, actorEmail, actorName }: Row) =>
  actorId ?? actorEmail?.toLowerCase() ?? actorName;

/** The total of the matching entries, their timeline, and their most frequent values. */
export function useCounts() {
  const total = shallowRef<number | null>(null);
  const stopped = shallowRef<Stopped | null>(null);
  const buckets = shallowRef<readonly Bucket[]>([]);
  const interval = shallowRef<StatsInterval>('DAY');
  const timelineError = shallowRef<ReelError | null>(null);
  const facets = shallowRef<Facets | null>(null);
  const facetsError = shallowRef<ReelError | null>(null);
  const facetsStopped = shallowRef<Stopped | null>(null);
  const isLoading = shallowRef(true);
  let controller = new AbortController();
  /** Entries that came while counting. */
  let arrived: readonly Row[] = [];
  /** Of the timeline. */
  let zone = 'UTC';

  async function loadTimeline(filter: LogFilterInput, timeZone: string, signal: AbortSignal): Promise<void> {
    const fetchTimeline = async (step: StatsInterval) =>
      (await askReel(TimelineDocument, { filter, timeZone, interval: step }, signal)).logStats;
    const { startDate, endDate } = filter;
    let step = startDate
      ? intervalFor((endDate ? Date.parse(endDate) : Date.now()) - Date.parse(startDate))
      : 'WEEK';
    let stats = await fetchTimeline(step);
    const [first, last] = [stats.timeline[0], stats.timeline.at(-1)];
    if (!startDate && first && last) {
      // For all time, the span is known only now.
      const fitting = intervalFor(Date.parse(last.end) - Date.parse(first.start));
      if (fitting !== step) {
        step = fitting;
        stats = await fetchTimeline(step);
      }
    }
    interval.value = step;
    total.value = stats.totalEntries;
    stopped.value = stoppedOf(stats);
    zone = timeZone;
    const steps = { interval: step, timeZone };
    const until = endDate ? Date.parse(endDate) : Date.now();
    if (stats.timeline.length === 0 && startDate)
      buckets.value = emptyTimeline(Date.parse(startDate), until, steps, stopped.value);
    else buckets.value = endDate ? stats.timeline : extended(stats.timeline, until, steps);
  }

  async function loadFacets(filter: LogFilterInput, timeZone: string, signal: AbortSignal): Promise<void> {
    facets.value = (await askReel(BreakdownDocument, { filter, timeZone }, signal)).logStats;
    facetsStopped.value = stoppedOf(facets.value);
  }

  /** Starts after `rowsLoaded` settles: counting reads far more than the first rows, which should not wait for it. */
  async function load(
    filterNow: () => LogFilterInput,
    timeZone: string,
    rowsLoaded: Promise<unknown>,
  ): Promise<void> {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    isLoading.value = true;
    timelineError.value = null;
    facetsError.value = null;
    await rowsLoaded.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, DEBOUNCE_MS));
    if (signal.aborted) return;
    const filter = filterNow();
    arrived = [];
    await Promise.all([
      loadTimeline(filter, timeZone, signal).catch((cause) => {
        if (signal.aborted) return;
        timelineError.value = cause;
        buckets.value = [];
        total.value = null;
      }),
      loadFacets(filter, timeZone, signal).catch((cause) => {
        if (signal.aborted) return;
        facetsError.value = cause;
        facets.value = null;
      }),
    ]);
    if (signal.aborted) return;
    isLoading.value = false;
    add(arrived);
  }

  /** Adds entries that arrived live, without another request; once counting is done, where it is under way. */
  function add(rows: readonly Row[]): void {
    if (isLoading.value) {
      arrived = [...arrived, ...rows];
      return;
    }
    for (const row of rows) {
      if (total.value !== null) total.value++;
      buckets.value = addToBuckets(buckets.value, row, { interval: interval.value, timeZone: zone });
      if (!facets.value) continue;
      const key = actorKey(row);
      const known = facets.value.actors.find((each) => each.key === key)?.label;
      const label = row.actorName ?? row.actorEmail ?? known ?? null;
      facets.value = {
        ...facets.value,
        modules: increment(facets.value.modules, { key: row.module }),
        actions: increment(facets.value.actions, { key: row.action }),
        severities: increment(facets.value.severities, { key: row.severity }),
        outcomes: increment(facets.value.outcomes, { key: row.outcome }),
        clients: increment(facets.value.clients, { key: row.clientId, label: null }),
        actors: increment(facets.value.actors, { key, label }),
      };
    }
  }

  function clear(): void {
    controller.abort();
    total.value = null;
    stopped.value = null;
    buckets.value = [];
    facets.value = null;
    isLoading.value = false;
  }

  return {
    total,
    stopped,
    buckets,
    interval,
    timelineError,
    facets,
    facetsError,
    facetsStopped,
    isLoading,
    load,
    add,
    clear,
  };
}

export type Counts = ReturnType<typeof useCounts>;

/** Increments the bucket that the entry falls into, after appending buckets up to the entry's time. */
function addToBuckets(known: readonly Bucket[], row: Row, steps: Steps): readonly Bucket[] {
  const at = Date.parse(row.createdAt);
  const buckets = extended(known, at, steps);
  const index = buckets.findLastIndex(({ start }) => Date.parse(start) <= at);
  const bucket = buckets[index];
  if (!bucket || at >= Date.parse(bucket.end)) return buckets;
  const incremented = {
    ...bucket,
    count: bucket.count + 1,
    bySeverity: increment(bucket.bySeverity, { key: row.severity }),
  };
  return buckets.with(index, incremented);
}
