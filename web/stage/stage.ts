import { computed, type InjectionKey, inject, nextTick, reactive, ref, shallowRef, watch } from 'vue';
import { askReel, type LogFilterInput, ReelError } from '../reel/index.js';
import { useCounts } from './counts.js';
import { type Row, useEntries } from './entries.js';
import { ClientsDocument, VocabularyDocument, type VocabularyQuery } from './generated.js';
import { RANGES, type Range, readLink, short, type View, writeLink } from './link.js';
import { useLive } from './live.js';
import { usePreferences } from './preferences.js';
import { canonical } from './query-edit.js';
import { QueryLineError } from './query-line/query-line.js';
import type { Session } from './session.js';
import {
  defaultLanguage,
  firstLanguage,
  i18n,
  isLanguage,
  keepLanguage,
  type Language,
  speak,
} from './words.js';

/** How long a passing word such as "Link copied" stands in the status. */
const WORD_MS = 4_000;

export const browserZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** The whole of what the viewer knows and does; its parts only show it. */
export function createStage(session: Session) {
  const { t, n, locale } = i18n.global;
  const view = reactive<View>(readLink(location.search));
  const preferences = usePreferences();
  const entries = useEntries();
  const counts = useCounts();
  const vocabulary = shallowRef<VocabularyQuery['logStats'] | null>(null);
  const clients = shallowRef<string[]>([]);
  const fault = shallowRef<{ message: string; position: number; length: number; line: string } | null>(null);
  const fresh = shallowRef<Row[]>([]);
  const word = ref('');
  /** Whether the list stands at its top; the grid keeps it true. */
  const atTop = ref(true);
  /** The row that keys act on. */
  const active = ref(0);
  const dialog = ref<'export' | 'keys' | null>(null);
  /** From when relative ranges count: the moment of the last load. */
  let asOf = Date.now();

  const language = computed(() => locale.value as Language);
  const zone = computed(() => view.tz ?? browserZone());

  // ---- The address

  const address = () => {
    const said = { ...view };
    if (session.tenants.value.length === 1) said.tenant = null;
    return location.pathname + writeLink(said);
  };

  function write(how: 'push' | 'replace'): void {
    const now = address();
    if (now === location.pathname + location.search + location.hash) return;
    history[how === 'push' ? 'pushState' : 'replaceState'](null, '', now);
  }

  /** Changes the view, its address, and what is shown. */
  function go(change: Partial<View>, how: 'push' | 'replace' = 'push'): void {
    Object.assign(view, change);
    write(how);
  }

  function follow(): void {
    takeHash();
    Object.assign(view, readLink(location.search));
    if (isLanguage(view.lang) && view.lang !== language.value) void speak(view.lang);
  }

  /** Signs in by what stands behind the address's #, which leaves it at once. */
  function takeHash(): void {
    if (!/[#&]token=/.test(location.hash)) return;
    const hash = location.hash;
    history.replaceState(null, '', location.pathname + location.search);
    signIn(hash);
  }

  function signIn(said: string): boolean {
    const named = session.signIn(said);
    if (!named) return false;
    if (session.tenant.value) view.tenant = session.tenant.value;
    if (named.client) view.client = named.client;
    write('replace');
    return true;
  }

  // ---- Loading

  /** The range as instants; relative ones count from the last load. */
  function span(): { from: string | null; to: string | null } {
    if (view.range) return { from: new Date(asOf - RANGES[view.range]).toISOString(), to: null };
    return { from: view.from, to: view.to };
  }

  function filter(): LogFilterInput {
    const { from, to } = span();
    return {
      ...(view.q && { query: view.q }),
      ...(from && { startDate: from }),
      ...(to && { endDate: to }),
    };
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
    const counting = counts.load(asked, zone.value);
    await entries.load(asked, view.oldest);
    active.value = 0;
    if (entries.state.value === 'shown' && view.live) startLive();
    await counting;
  }

  function takeFault(cause: unknown, line: string): void {
    if (cause instanceof QueryLineError) {
      const { message, position, length } = cause;
      fault.value = { message, position, length, line };
    } else if (cause instanceof ReelError && typeof cause.extensions.position === 'number') {
      const { position, length } = cause.extensions as { position: number; length: number };
      fault.value = { message: cause.message, position, length, line };
    }
  }

  watch(entries.error, (error) => {
    if (error?.code === 'UNAUTHENTICATED') session.expire();
    if (error?.code === 'BAD_USER_INPUT') takeFault(error, view.q);
  });

  /** Lines as they are written on Enter: canonical, or a fault is shown and nothing changes. */
  function applyQuery(line: string): boolean {
    try {
      const q = canonical(line);
      fault.value = null;
      if (q === view.q && entries.state.value !== 'failed') return true;
      if (q === view.q) void load();
      else go({ q });
      return true;
    } catch (cause) {
      takeFault(cause, line);
      return false;
    }
  }

  /** Edits the query line by one of query-edit's functions. A line at its bounds stays as it is, and says why. */
  function editQuery(edit: (line: string) => string): void {
    try {
      go({ q: edit(view.q) });
    } catch (cause) {
      takeFault(cause, view.q);
    }
  }

  const setRange = (range: Range | null) => {
    // The same range again means: from now.
    if (range === view.range && !view.from && !view.to) void load();
    else go({ range, from: null, to: null });
  };

  const setSpan = (from: string | null, to: string | null) =>
    go({ range: null, from: from && short(from), to: to && short(to) });

  async function loadBeside(): Promise<void> {
    try {
      const { logStats } = await askReel(VocabularyDocument, {});
      vocabulary.value = logStats;
    } catch {
      // Completion then knows fields and severities alone.
    }
  }

  /** Whose entries there are to choose from: asked for without a client, since with one there is only that one. */
  async function loadClients(): Promise<void> {
    const granted = (session.claims.value?.grants ?? []).flatMap(({ client_id, tenant_id }) =>
      client_id && (!session.tenant.value || tenant_id === session.tenant.value) ? [client_id] : [],
    );
    withoutClient = true;
    const asking = askReel(ClientsDocument, {});
    withoutClient = false;
    const seen = await asking.then(
      ({ logStats }) => logStats.clients.flatMap(({ key }) => key ?? []),
      () => [],
    );
    clients.value = [...new Set([...granted, ...seen, ...(view.client ? [view.client] : [])])].sort();
  }
  let withoutClient = false;

  /** What goes with every call. Read when a call begins. */
  function headers(): Record<string, string> {
    const tenant = view.tenant ?? session.tenant.value;
    return {
      ...(session.token.value && { Authorization: `Bearer ${session.token.value}` }),
      ...(tenant && { 'X-Tenant-Id': tenant }),
      ...(view.client && !withoutClient && { 'X-Client-Id': view.client }),
    };
  }

  // ---- Live

  const live = useLive((rows) => {
    counts.count(rows.filter(({ id }) => !entries.rows.value.some((row) => row.id === id)));
    const known = new Set([...entries.rows.value, ...fresh.value].map(({ id }) => id));
    const unseen = rows.filter(({ id }) => !known.has(id));
    const seen = rows.filter(({ id }) => known.has(id));
    if (seen.length > 0) entries.insert(seen.filter(({ id }) => !fresh.value.some((row) => row.id === id)));
    if (unseen.length === 0) return;
    // At the end of the oldest first nothing that is read moves.
    if (view.oldest || (atTop.value && !view.entry && active.value === 0)) {
      const added = entries.insert(unseen);
      if (added > 0) say(t('status.arrived', { n: n(added) }, added));
    } else {
      fresh.value = [...unseen, ...fresh.value];
      say(t('status.waiting', { n: n(fresh.value.length) }, fresh.value.length));
    }
  });

  function startLive(): void {
    const places = entries.rows.value.map(({ sequence }) => sequence ?? 0);
    live.start(filter(), places.length > 0 ? Math.max(...places) || null : null);
  }

  function toggleLive(): void {
    go({ live: !view.live }, 'replace');
    if (view.live && entries.state.value === 'shown') startLive();
    else live.stop();
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

  watch(live.error, (error) => {
    if (error?.code === 'UNAUTHENTICATED') session.expire();
  });

  // ---- One entry

  /** Set when the details should take the focus: they were opened by the keyboard. */
  const takesFocus = ref(false);

  function openEntry(id: string, byKey = false): void {
    takesFocus.value = byKey;
    go({ entry: id }, view.entry ? 'replace' : 'push');
  }

  function closeEntry(): void {
    go({ entry: null });
  }

  // ---- Words

  let wordTimer: ReturnType<typeof setTimeout> | undefined;
  function say(text: string): void {
    clearTimeout(wordTimer);
    word.value = '';
    void nextTick(() => {
      word.value = text;
    });
    wordTimer = setTimeout(() => {
      word.value = '';
    }, WORD_MS);
  }

  async function copy(text: string, said = t('status.copied')): Promise<void> {
    say((await toClipboard(text)) ? said : t('status.notCopied'));
  }

  /** The address with the range as it is now, so that it shows the same tomorrow. */
  function linkNow(): string {
    const { from, to } = span();
    const first = counts.buckets.value[0]?.start ?? null;
    const end = new Date(view.range || !to ? asOf : Date.parse(to)).toISOString();
    const fixed: View = {
      ...view,
      range: null,
      from: short(from ?? first ?? '') || null,
      to: short(to ?? end),
      live: false,
    };
    if (session.tenants.value.length === 1) fixed.tenant = null;
    return location.origin + location.pathname + writeLink(fixed);
  }

  async function setLanguage(to: Language): Promise<void> {
    keepLanguage(to);
    await speak(to);
    go({ lang: to === defaultLanguage() ? null : to }, 'replace');
  }

  const setZone = (tz: string) => go({ tz: tz === browserZone() ? null : tz }, 'replace');

  // ---- What leads to what

  watch(
    () => [
      view.q,
      view.range,
      view.from,
      view.to,
      view.oldest,
      view.client,
      view.tenant,
      zone.value,
      session.renewals.value,
    ],
    () => void load(),
  );
  watch(
    () => session.renewals.value,
    () => {
      void loadBeside();
      void loadClients();
    },
  );

  function begin(): void {
    takeHash();
    if (!view.tenant && session.tenant.value) view.tenant = session.tenant.value;
    addEventListener('popstate', follow);
    addEventListener('hashchange', takeHash);
    if (!session.token.value) return;
    void load();
    void loadBeside();
    void loadClients();
  }

  return {
    view,
    session,
    preferences,
    entries,
    counts,
    live,
    vocabulary,
    clients,
    fault,
    fresh,
    word,
    atTop,
    active,
    dialog,
    language,
    zone,
    headers,
    begin,
    go,
    load,
    signIn,
    span,
    filter,
    applyQuery,
    editQuery,
    setRange,
    setSpan,
    setLanguage,
    setZone,
    toggleLive,
    showFresh,
    takesFocus,
    openEntry,
    closeEntry,
    say,
    copy,
    linkNow,
    firstLanguage,
  };
}

export type Stage = ReturnType<typeof createStage>;
export const STAGE: InjectionKey<Stage> = Symbol('stage');

export function useStage(): Stage {
  const stage = inject(STAGE);
  if (!stage) throw new Error('useStage: expected to be called below App');
  return stage;
}

/** Pages on plain http have no clipboard; there a selection is copied. */
async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement as HTMLElement | null;
    const field = document.createElement('textarea');
    field.value = text;
    field.className = 'unseen';
    (document.querySelector('dialog[open]') ?? document.body).append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    focused?.focus();
    return done;
  }
}
