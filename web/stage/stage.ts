import { computed, type InjectionKey, inject, ref, shallowRef, watch } from 'vue';
import { printQueryLine } from '../../src/query-line/print.js';
import { type LogFilterInput, ReelError } from '../reel/index.js';
import { browserLanguage, i18n, type Language, storeLanguage, switchLanguage } from './i18n.js';
import { RANGES, type Range } from './link.js';
import { useCounts } from './list/counts.js';
import { type Row, useEntries } from './list/entries.js';
import { useLive } from './list/live.js';
import { useAnnouncer } from './parts/announcer.js';
import { copyToClipboard } from './parts/clipboard.js';
import { browserZone, trimInstant } from './parts/times.js';
import { usePreferences } from './preferences.js';
import { canonicalLine, pinnedLine, type Terms, termsOf } from './query/edit.js';
import { useQueryError } from './query/error.js';
import { useVocabulary } from './query/vocabulary.js';
import { useClients } from './session/clients.js';
import type { Session } from './session/session.js';
import { useUrlState } from './url-state.js';

/** The viewer's state and actions; components render the state and call the actions. */
export function createStage(session: Session) {
  const { t, n, locale } = i18n.global;
  const urlState = useUrlState(session);
  const { view, navigate } = urlState;
  const clients = useClients(session, view);
  const vocabulary = useVocabulary();
  const { message, announce } = useAnnouncer();
  const { queryError, showQueryError } = useQueryError();
  const entries = useEntries(() => void load());
  const counts = useCounts();
  const live = useLive(onLiveRows);
  /** Entries that arrived live and are not in the list yet. */
  const newRows = shallowRef<Row[]>([]);
  /** Whether the list is scrolled to its top; set by the grid. */
  const isAtTop = ref(true);
  /** Index of the row that keyboard shortcuts act on. */
  const activeRow = ref(0);
  const dialog = ref<'export' | 'keys' | null>(null);
  /** Set when the details are opened by keyboard and should take the focus. */
  const focusDetails = ref(false);
  /** When the list was last loaded; relative ranges end here. */
  let loadedAt = Date.now();

  const language = computed(() => locale.value as Language);
  const zone = computed(() => view.tz ?? browserZone());

  /** The range as instants. */
  function timeSpan(): { from: string | null; to: string | null } {
    if (view.range) return { from: new Date(loadedAt - RANGES[view.range]).toISOString(), to: null };
    return { from: view.from, to: view.to };
  }

  function filter(): LogFilterInput {
    const { from, to } = timeSpan();
    return { ...(view.q && { query: view.q }), ...(from && { startDate: from }), ...(to && { endDate: to }) };
  }

  /** The same in a time zone of any kind, for what is asked for without one. */
  function pinnedFilter(): LogFilterInput {
    const { query, ...others } = filter();
    return { ...others, ...(query && { query: pinned(query) }) };
  }

  async function load(): Promise<void> {
    if (!session.token.value) return;
    if (view.page) {
      live.stop();
      return;
    }
    loadedAt = Date.now();
    newRows.value = [];
    live.stop();
    try {
      if (view.q) termsOf(view.q, zone.value);
      queryError.value = null;
    } catch (cause) {
      refuse(cause, view.q);
      return;
    }
    const current = filter();
    const rowsLoaded = entries.load({ filter: current, oldest: view.oldest, timeZone: zone.value });
    const countsLoaded = counts.load(current, zone.value, rowsLoaded);
    if (await rowsLoaded) {
      activeRow.value = 0;
      if (view.live) startLive();
    }
    await countsLoaded;
  }

  /** Shows a fault of a line in place of its answer. */
  function refuse(cause: unknown, line: string): void {
    live.stop();
    newRows.value = [];
    showQueryError(cause, line);
    entries.fail(new ReelError('BAD_USER_INPUT', (cause as Error).message));
    counts.clear();
  }

  /** Applies the line in its canonical form. If it has a fault, shows that instead of an older answer and returns false. */
  function applyQuery(line: string): boolean {
    try {
      const q = canonicalLine(line, zone.value);
      queryError.value = null;
      if (q !== view.q) navigate({ q });
      else if (entries.state.value === 'failed') void load();
      return true;
    } catch (cause) {
      refuse(cause, line);
      return false;
    }
  }

  /** Changes the query by one of query/edit's functions. A change that no query line can express is announced and not made. */
  function editQuery(edit: (terms: Terms) => Terms): void {
    try {
      const q = printQueryLine(edit(termsOf(view.q, zone.value)));
      termsOf(q, zone.value);
      navigate({ q });
    } catch {
      announce(t('status.noCondition'));
    }
  }

  function setRange(range: Range | null): void {
    // The same range again: reload, so that it ends now.
    if (range === view.range && !view.from && !view.to) void load();
    else navigate({ range, from: null, to: null });
  }

  const setTimeSpan = (from: string | null, to: string | null) =>
    navigate({ range: null, from: from && trimInstant(from), to: to && trimInstant(to) });

  // ---- Live

  function onLiveRows(rows: Row[]): void {
    const listed = new Set(entries.rows.value.map(({ id }) => id));
    const waiting = new Set(newRows.value.map(({ id }) => id));
    // A listed entry arrives again with its sequence once it is sealed.
    const sealed = rows.filter(({ id }) => listed.has(id));
    if (sealed.length > 0) entries.insert(sealed);
    const arrived = rows.filter(({ id }) => !listed.has(id) && !waiting.has(id));
    counts.add(arrived);
    if (arrived.length === 0) return;
    const isReading = !isAtTop.value || view.entry || activeRow.value > 0 || newRows.value.length > 0;
    // Oldest first, they are appended, which moves no row.
    if (view.oldest || !isReading) {
      const added = entries.insert(arrived);
      if (added > 0) announce(t('status.arrived', { n: n(added) }, added));
    } else {
      newRows.value = [...arrived, ...newRows.value];
      announce(t('status.waiting', { n: n(newRows.value.length) }, newRows.value.length));
    }
  }

  function startLive(): void {
    const last = Math.max(0, ...entries.rows.value.map(({ sequence }) => sequence ?? 0));
    live.start(pinnedFilter(), last || null);
  }

  function toggleLive(): void {
    navigate({ live: !view.live }, 'replace');
    announce(t(view.live ? 'status.liveOn' : 'status.liveOff'));
  }

  function showNewRows(): void {
    entries.insert(newRows.value);
    newRows.value = [];
    activeRow.value = 0;
    isAtTop.value = true;
    entries.version.value++;
  }

  // ---- One entry

  function openEntry(id: string, byKeyboard = false): void {
    focusDetails.value = byKeyboard;
    navigate({ entry: id }, view.entry ? 'replace' : 'push');
  }

  /** The address of this view with a change. */
  const hrefOf = (change: Partial<typeof view>) =>
    location.pathname + urlState.searchOf({ ...view, ...change });

  const closeEntry = () => navigate({ entry: null });

  // ---- Links and settings

  async function copy(text: string, confirmation = t('status.copied')): Promise<void> {
    announce((await copyToClipboard(text)) ? confirmation : t('status.notCopied'));
  }

  /** A link to this view with its range as instants, so that it will show the same tomorrow. */
  function permalink(): string {
    if (view.page) return location.href;
    const { from, to } = timeSpan();
    const first = from ?? counts.buckets.value[0]?.start ?? null;
    const last = to ?? new Date(loadedAt).toISOString();
    const fixed = {
      ...view,
      q: pinned(view.q),
      range: null,
      from: first && trimInstant(first),
      to: trimInstant(last),
      live: false,
    };
    return location.origin + location.pathname + urlState.searchOf(fixed);
  }

  function pinned(line: string): string {
    try {
      return pinnedLine(line, zone.value);
    } catch {
      // A line with a fault shows the fault.
      return line;
    }
  }

  async function setLanguage(to: Language): Promise<void> {
    storeLanguage(to);
    await switchLanguage(to);
    navigate({ lang: to === browserLanguage() ? null : to }, 'replace');
  }

  const setZone = (tz: string) => navigate({ tz: tz === browserZone() ? null : tz }, 'replace');

  const loadChoices = () => Promise.all([vocabulary.load(), clients.load()]);

  /** Reads the URL, and from then on loads whatever the view asks for. */
  function start(): void {
    urlState.start();
    watch(
      () => [
        ...[view.q, view.range, view.from, view.to, view.oldest, view.client, view.tenant],
        ...[zone.value, session.signIns.value, view.page],
      ],
      () => void load(),
    );
    watch(
      () => view.live,
      (on) => {
        if (!on) live.stop();
        else if (entries.state.value === 'shown') startLive();
      },
    );
    watch(
      () => session.signIns.value,
      () => void loadChoices(),
    );
    watch([entries.error, live.error], (errors) => {
      if (errors.some((error) => error?.code === 'UNAUTHENTICATED')) session.expire();
    });
    watch(entries.error, (error) => showQueryError(error, view.q));
    if (!session.token.value) return;
    void load();
    void loadChoices();
  }

  return {
    ...{ view, session, entries, counts, live, queryError, message, dialog },
    ...{ newRows, isAtTop, activeRow, focusDetails },
    ...{ language, zone, preferences: usePreferences() },
    ...{ vocabulary: vocabulary.vocabulary, clients: clients.clients, headers: clients.headers },
    mayManageStreams: clients.mayManageStreams,
    ...{ start, navigate, load, pinnedFilter, applyQuery, editQuery },
    ...{ setRange, setTimeSpan, setLanguage, setZone },
    ...{
      toggleLive,
      showNewRows,
      openEntry,
      closeEntry,
      announce,
      copy,
      permalink,
      hrefOf,
      signIn: urlState.signIn,
    },
  };
}

export type Stage = ReturnType<typeof createStage>;
export const STAGE: InjectionKey<Stage> = Symbol('stage');

export function useStage(): Stage {
  const stage = inject(STAGE);
  if (!stage) throw new Error('useStage: expected to be called in a component below App');
  return stage;
}
