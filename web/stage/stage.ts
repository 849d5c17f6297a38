import { computed, type InjectionKey, inject, ref, shallowRef, watch } from 'vue';
import { type LogFilterInput, ReelError } from '../reel/index.js';
import { useAddress } from './address.js';
import { toClipboard, useAnnouncer } from './announcer.js';
import { useCounts } from './counts.js';
import { type Row, useEntries } from './entries.js';
import { useFault } from './fault.js';
import { RANGES, type Range, short } from './link.js';
import { useLive } from './live.js';
import { usePreferences } from './preferences.js';
import { canonical } from './query-edit.js';
import type { Session } from './session.js';
import { useSurroundings } from './surroundings.js';
import { defaultLanguage, i18n, keepLanguage, type Language, speak } from './words.js';

export const browserZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** The whole of what the viewer knows and does; its parts only show it. */
export function createStage(session: Session) {
  const { t, n, locale } = i18n.global;
  const address = useAddress(session);
  const { view, go } = address;
  const surroundings = useSurroundings(session, view);
  const { word, say } = useAnnouncer();
  const { fault, take: takeFault } = useFault();
  const entries = useEntries(() => void load());
  const counts = useCounts();
  const live = useLive(arrive);
  /** What came in live and waits to be shown. */
  const fresh = shallowRef<Row[]>([]);
  /** Whether the list stands at its top; the grid keeps it true. */
  const atTop = ref(true);
  /** The row that keys act on. */
  const active = ref(0);
  const dialog = ref<'export' | 'keys' | null>(null);
  /** Set when the details should take the focus: they were opened by the keyboard. */
  const takesFocus = ref(false);
  /** From when relative ranges count: the moment of the last load. */
  let asOf = Date.now();

  const language = computed(() => locale.value as Language);
  const zone = computed(() => view.tz ?? browserZone());

  /** The range as instants. */
  function span(): { from: string | null; to: string | null } {
    if (view.range) return { from: new Date(asOf - RANGES[view.range]).toISOString(), to: null };
    return { from: view.from, to: view.to };
  }

  function filter(): LogFilterInput {
    const { from, to } = span();
    return { ...(view.q && { query: view.q }), ...(from && { startDate: from }), ...(to && { endDate: to }) };
  }

  async function load(): Promise<void> {
    if (!session.token.value) return;
    asOf = Date.now();
    fresh.value = [];
    live.stop();
    try {
      if (view.q) canonical(view.q);
      fault.value = null;
    } catch (cause) {
      takeFault(cause, view.q);
      entries.fail(new ReelError('BAD_USER_INPUT', (cause as Error).message));
      counts.clear();
      return;
    }
    const asked = filter();
    const listed = entries.load(asked, view.oldest);
    const counting = counts.load(asked, zone.value, listed);
    const isNewest = await listed;
    if (isNewest) {
      active.value = 0;
      if (view.live) follow();
    }
    await counting;
  }

  /** Writes the line in its canonical form into the link; with a fault nothing changes but that it is shown. */
  function applyQuery(line: string): boolean {
    try {
      const q = canonical(line);
      fault.value = null;
      if (q !== view.q) go({ q });
      else if (entries.state.value === 'failed') void load();
      return true;
    } catch (cause) {
      takeFault(cause, line);
      return false;
    }
  }

  /** Edits the query line by one of query-edit's functions. What no line can say changes nothing. */
  function editQuery(edit: (line: string) => string): void {
    try {
      go({ q: canonical(edit(view.q)) });
    } catch {
      say(t('status.noCondition'));
    }
  }

  function setRange(range: Range | null): void {
    // The same range again means: from now.
    if (range === view.range && !view.from && !view.to) void load();
    else go({ range, from: null, to: null });
  }

  const setSpan = (from: string | null, to: string | null) =>
    go({ range: null, from: from && short(from), to: to && short(to) });

  // ---- Live

  function arrive(rows: Row[]): void {
    const shown = new Set(entries.rows.value.map(({ id }) => id));
    const waiting = new Set(fresh.value.map(({ id }) => id));
    const unseen = rows.filter(({ id }) => !shown.has(id) && !waiting.has(id));
    // What is shown already gets its place in the sealed log.
    const sealed = rows.filter(({ id }) => shown.has(id));
    if (sealed.length > 0) entries.insert(sealed);
    counts.count(unseen);
    if (unseen.length === 0) return;
    // At the end of the oldest first nothing that is read moves.
    if (view.oldest || (atTop.value && !view.entry && active.value === 0 && fresh.value.length === 0)) {
      const added = entries.insert(unseen);
      if (added > 0) say(t('status.arrived', { n: n(added) }, added));
    } else {
      fresh.value = [...unseen, ...fresh.value];
      say(t('status.waiting', { n: n(fresh.value.length) }, fresh.value.length));
    }
  }

  function follow(): void {
    const last = Math.max(0, ...entries.rows.value.map(({ sequence }) => sequence ?? 0));
    live.start(filter(), last || null);
  }

  function toggleLive(): void {
    go({ live: !view.live }, 'replace');
    say(t(view.live ? 'status.liveOn' : 'status.liveOff'));
  }

  /** Puts what came in meanwhile at the top, and goes there. */
  function showFresh(): void {
    entries.insert(fresh.value);
    fresh.value = [];
    active.value = 0;
    atTop.value = true;
    entries.edition.value++;
  }

  // ---- One entry

  function openEntry(id: string, byKey = false): void {
    takesFocus.value = byKey;
    go({ entry: id }, view.entry ? 'replace' : 'push');
  }

  const closeEntry = () => go({ entry: null });

  // ---- Links and settings

  async function copy(text: string, said = t('status.copied')): Promise<void> {
    say((await toClipboard(text)) ? said : t('status.notCopied'));
  }

  /** The address with the range as it is now, so that it shows the same tomorrow. */
  function linkNow(): string {
    const { from, to } = span();
    const first = from ?? counts.buckets.value[0]?.start ?? null;
    const last = to ?? new Date(asOf).toISOString();
    const fixed = { ...view, range: null, from: first && short(first), to: short(last), live: false };
    return location.origin + location.pathname + address.searchOf(fixed);
  }

  async function setLanguage(to: Language): Promise<void> {
    keepLanguage(to);
    await speak(to);
    go({ lang: to === defaultLanguage() ? null : to }, 'replace');
  }

  const setZone = (tz: string) => go({ tz: tz === browserZone() ? null : tz }, 'replace');

  /** Takes the address as it is, and from then on shows what it says. */
  function begin(): void {
    address.begin();
    watch(
      () => [
        ...[view.q, view.range, view.from, view.to, view.oldest, view.client, view.tenant],
        ...[zone.value, session.renewals.value],
      ],
      () => void load(),
    );
    watch(
      () => view.live,
      (on) => {
        if (!on) live.stop();
        else if (entries.state.value === 'shown') follow();
      },
    );
    watch(
      () => session.renewals.value,
      () => void surroundings.load(),
    );
    watch([entries.error, live.error], (errors) => {
      if (errors.some((error) => error?.code === 'UNAUTHENTICATED')) session.expire();
    });
    watch(entries.error, (error) => takeFault(error, view.q));
    if (!session.token.value) return;
    void load();
    void surroundings.load();
  }

  return {
    ...{ view, session, entries, counts, live, fault, fresh, word, atTop, active, dialog, takesFocus },
    ...{ language, zone, preferences: usePreferences() },
    ...{ vocabulary: surroundings.vocabulary, clients: surroundings.clients, headers: surroundings.headers },
    ...{ begin, go, load, filter, applyQuery, editQuery, setRange, setSpan, setLanguage, setZone },
    ...{ toggleLive, showFresh, openEntry, closeEntry, say, copy, linkNow, signIn: address.signIn },
  };
}

export type Stage = ReturnType<typeof createStage>;
export const STAGE: InjectionKey<Stage> = Symbol('stage');

export function useStage(): Stage {
  const stage = inject(STAGE);
  if (!stage) throw new Error('useStage: expected to be called below App');
  return stage;
}
