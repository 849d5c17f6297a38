import { computed, type InjectionKey, inject, ref, shallowRef, watch } from 'vue';
import { printQueryLine } from '../../src/query-line/print.js';
import { askReel, type ReelError } from '../reel/index.js';
import { MeDocument } from './generated.js';
import { browserLanguage, i18n, type Language, storeLanguage, switchLanguage } from './i18n.js';
import type { Range, View } from './link.js';
import { isDataColumn } from './list/columns.js';
import { useCounts } from './list/counts.js';
import { useEntries } from './list/entries.js';
import { isOver, useFollowing } from './list/following.js';
import { useListed } from './list/listed.js';
import { useAnnouncer } from './parts/announcer.js';
import { copyToClipboard } from './parts/clipboard.js';
import { browserZone, trimInstant } from './parts/times.js';
import { usePreferences } from './preferences.js';
import { canonicalLine, type Terms, termsOf } from './query/edit.js';
import { useQueryError } from './query/error.js';
import { useVocabulary } from './query/vocabulary.js';
import { useClients } from './session/clients.js';
import { askParent, type Embedding, type Part, takeTokens } from './session/embedding.js';
import type { Session } from './session/session.js';
import { useUrlState } from './url-state.js';
import { useOpenView } from './views/open-view.js';
import { useViews } from './views/saved.js';

/** The viewer's state and actions; components render the state and call the actions. */
export function createStage(session: Session, embedding: Embedding | null = null) {
  const { t, n, locale } = i18n.global;
  const views = useViews();
  const urlState = useUrlState(session, views, embedding);
  const { view } = urlState;
  const clients = useClients(session, view);
  const vocabulary = useVocabulary(clients.withClient);
  const { message, announce } = useAnnouncer();
  const queryErrors = useQueryError();
  const { queryError, showQueryError } = queryErrors;
  const entries = useEntries(retry);
  const counts = useCounts();
  /** Index of the row that keyboard shortcuts act on. */
  const activeRow = ref(0);
  watch(entries.prepended, ({ rows }) => (activeRow.value += rows), { flush: 'sync' });
  const preferences = usePreferences(embedding?.theme);
  const saved = useOpenView(view, views, preferences);
  const dialog = ref<'export' | 'keys' | null>(null);
  /** The query line as it is typed; applied where it is view.q. */
  const draft = ref(view.q);
  const isDraft = computed(() => draft.value.trim() !== view.q);
  /** Where one was before looking around an entry. */
  const origin = shallowRef<View | null>(null);
  /** Set when the details are opened by keyboard and should take the focus. */
  const focusDetails = ref(false);
  const language = computed<Language>(() => locale.value);
  const zone = computed(() => view.tz ?? browserZone());
  const following = useFollowing({
    ...{ view, entries, counts, activeRow, announce },
    reload: () => void load(),
  });
  const { live, newRows, isAtTop, showNewRows } = following;
  const { load, refuse, pinned, pinnedFilter, timeSpan, fixedSpan } = useListed({
    ...{ view, session, views, saved, preferences, zone, navigate: urlState.navigate },
    ...{ entries, counts, following, queryErrors, activeRow },
  });

  /** The line that is typed, in its canonical form; the applied one where the typed one has a fault. */
  function typedLine(): string {
    if (!isDraft.value) return view.q;
    try {
      return canonicalLine(draft.value, zone.value);
    } catch {
      return view.q;
    }
  }

  /** Whatever else is done applies what is typed, where it has no fault. */
  function navigate(change: Partial<View>, mode: 'push' | 'replace' = 'push'): void {
    const q = typedLine();
    const isTyped = q !== view.q;
    if (isTyped) draft.value = change.q ?? q;
    urlState.navigate(isTyped ? { q, ...change } : change, mode);
  }

  /** After a failure. */
  function retry(): void {
    void (views.error.value && !saved.openView.value ? loadViews() : load());
  }

  /** Applies the line in its canonical form. If it has a fault, shows that instead of an older answer and returns false. */
  function applyQuery(line: string): boolean {
    try {
      const q = canonicalLine(line, zone.value);
      queryError.value = null;
      draft.value = q;
      origin.value = null;
      if (q !== view.q) urlState.navigate({ q });
      else if (entries.state.value === 'failed') void load();
      return true;
    } catch (cause) {
      refuse(cause, line);
      return false;
    }
  }

  /** The applied line again, in place of what is typed. */
  function giveUpDraft(): void {
    draft.value = view.q;
    if (queryError.value) applyQuery(view.q);
  }

  /** Changes the query by one of query/edit's functions. A change that no query line can express is announced and not made. */
  function editQuery(edit: (terms: Terms) => Terms): void {
    try {
      const q = printQueryLine(edit(termsOf(typedLine(), zone.value)));
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

  function toggleLive(): void {
    if (!view.live && isOver(view)) {
      announce(t('status.over'));
      return;
    }
    navigate({ live: !view.live }, 'replace');
    announce(t(view.live ? 'status.liveOn' : 'status.liveOff'));
  }

  // ---- Both ends

  /** The last entries, at once. False where the server could not say them, which is announced. */
  async function showEnd(): Promise<boolean> {
    const isShown = await entries.loadEnd();
    if (isShown === false) announce(`${t('status.noEnd')} ${t(`reel.errors.${entries.error.value?.code}`)}`);
    return isShown === true;
  }

  /** The first ones again. */
  const showStart = () => load(false);

  // ---- One entry

  function openEntry(id: string, byKeyboard = false): void {
    focusDetails.value = byKeyboard;
    navigate({ entry: id }, view.entry ? 'replace' : 'push');
  }

  /** The address of this view with a change. */
  const hrefOf = (change: Partial<typeof view>) =>
    location.pathname + urlState.searchOf({ ...view, ...change });

  const closeEntry = () => navigate({ entry: null });

  /** Shows what was done around an entry, and remembers where one was. */
  function lookAround(change: Partial<View>): void {
    origin.value ??= { ...view };
    navigate({ v: null, range: null, live: false, ...change });
  }

  /** Another question altogether: what is typed is given up for it. */
  function openView(change: Partial<View>): void {
    origin.value = null;
    if (change.q !== undefined) draft.value = change.q;
    urlState.navigate({ v: null, ...change });
  }

  /** The same page for another tenant, where other clients and other people are. */
  const openTenant = (tenant: string) => openView({ tenant, client: null, entry: null, stream: null, q: '' });

  function goBack(): void {
    if (!origin.value) return;
    const before = origin.value;
    origin.value = null;
    draft.value = before.q;
    urlState.navigate(before);
  }

  // ---- Links and settings

  async function copy(text: string, confirmation = t('status.copied')): Promise<void> {
    announce((await copyToClipboard(text)) ? confirmation : t('status.notCopied'));
  }

  /** A link to this view with its range as instants, so that it will show the same tomorrow. */
  function permalink(): string {
    if (view.page) return location.href;
    const fixed = {
      ...view,
      q: pinned(view.q),
      v: null,
      range: null,
      ...fixedSpan(),
      live: false,
    };
    return location.origin + location.pathname + urlState.searchOf(fixed);
  }

  async function setLanguage(to: Language): Promise<void> {
    storeLanguage(to);
    await switchLanguage(to);
    navigate({ lang: to === browserLanguage() ? null : to }, 'replace');
  }

  const setZone = (tz: string) => navigate({ tz: tz === browserZone() ? null : tz }, 'replace');

  // ---- Names

  /** Names of actors by what finds them: of those of this tenant that are known so far. */
  const actorNames = computed(() => {
    const names = new Map<string, string>();
    for (const { key, label } of [
      ...(vocabulary.vocabulary.value?.actors ?? []),
      ...(counts.facets.value?.actors ?? []),
    ])
      if (key && label) names.set(key, label);
    for (const { actorId, actorName } of entries.rows.value)
      if (actorId && actorName) names.set(actorId, actorName);
    return names;
  });
  const clientName = (id: string) => clients.clients.value.find((client) => client.id === id)?.name ?? null;
  /** How many entries the list has, in words. Empty until that is known. */
  const countText = computed(() => {
    const { state, rows, more } = entries;
    if (state.value === 'failed') return '';
    const total = more.value === 'none' && state.value === 'shown' ? rows.value.length : counts.total.value;
    if (total === null) return '';
    const isAtLeast = more.value !== 'none' && counts.stopped.value !== null;
    return t(isAtLeast ? 'status.atLeast' : 'status.count', { n: n(total) }, total);
  });
  /** Old rows and counts are shown dimmed until the new ones are there. */
  const isStale = computed(() => entries.state.value === 'loading');
  const areCountsStale = computed(() => isStale.value || counts.isLoading.value);
  const title = computed(() => {
    const name = view.isAsSaved && saved.openView.value?.name;
    const what = view.page ? t('streams.title') : name || view.q || t('reel.title');
    const tenant = clients.tenant.value;
    const where = (view.client && (clientName(view.client) ?? view.client)) || tenant?.name;
    return [what, where, 'Reel'].filter(Boolean).join(' · ');
  });

  /** What was asked with an older token may be refused after a good one was given: the server is asked about the present one. */
  async function expire(): Promise<void> {
    const isRefused = await askReel(MeDocument, {}).then(
      () => false,
      (cause: ReelError) => cause.code === 'UNAUTHENTICATED',
    );
    if (isRefused) session.expire();
  }

  const isHidden = (part: Part) => embedding?.hidden.has(part) ?? false;

  /** Whose views these are: of the tenant that is looked at. */
  const loadViews = () => views.load(view.tenant ?? session.tenant.value);
  const loadChoices = () => Promise.all([loadViews(), vocabulary.load(), clients.load()]);

  /** Reads the URL, and from then on loads whatever the view asks for. */
  function start(): void {
    urlState.start();
    if (embedding) {
      takeTokens(urlState.signIn);
      if (!session.token.value) askParent();
      watch(session.isExpired, (isExpired) => isExpired && askParent());
    }
    watch(
      () => [
        ...[view.q, view.range, view.from, view.to, view.oldest, view.client, view.tenant],
        ...[zone.value, session.signIns.value, view.page, saved.isWaiting.value, saved.isMissing.value],
        preferences.columns.value.some(({ key }) => isDataColumn(key)),
      ],
      () => void load(),
    );
    watch(
      () => view.q,
      (q, before) => {
        if (draft.value.trim() === before) draft.value = q;
      },
    );
    watch(
      title,
      (now) => {
        document.title = now;
      },
      { immediate: true },
    );
    watch(
      () => view.live,
      (on) => {
        if (on) void load();
        else live.stop();
      },
    );
    watch(
      () => [session.signIns.value, view.tenant],
      () => void loadChoices(),
    );
    watch([entries.error, live.error], (errors) => {
      if (errors.some((error) => error?.code === 'UNAUTHENTICATED')) void expire();
    });
    watch(entries.error, (error) => showQueryError(error, view.q));
    if (!session.token.value) return;
    // What else is asked for reads far more than the first rows, which should not wait for it.
    const stop = watch(counts.isLoading, (isLoading) => {
      if (isLoading) return;
      stop();
      void vocabulary.ensure();
    });
    // Few bytes, which the first rows are shown with.
    void vocabulary.describe();
    void load(false).then(() => Promise.all([loadViews(), clients.load()]));
  }

  return {
    ...{ view, session, entries, counts, live, queryError, message, dialog },
    ...{ newRows, isAtTop, activeRow, focusDetails },
    ...{ isStale, areCountsStale, countText },
    ...{ draft, isDraft, origin, actorNames, clientName, lookAround, goBack, openView, openTenant },
    ...{ language, zone, preferences },
    ...{
      vocabulary: vocabulary.vocabulary,
      isVocabularyKnown: vocabulary.isKnown,
      ensureVocabulary: vocabulary.ensure,
      descriptions: vocabulary.descriptions,
      described: vocabulary.described,
      describedAs: vocabulary.describedAs,
      lookForPeople: vocabulary.lookForPeople,
      headers: clients.headers,
    },
    ...{
      clients: clients.clients,
      tenants: clients.tenants,
      tenant: clients.tenant,
      me: clients.me,
      withClient: clients.withClient,
    },
    mayManageStreams: clients.mayManageStreams,
    expire,
    ...{ isHidden, isEmbedded: embedding !== null },
    views,
    saved,
    ...{
      start,
      navigate,
      load,
      loadViews,
      retry,
      pinned,
      pinnedFilter,
      timeSpan,
      applyQuery,
      giveUpDraft,
      editQuery,
    },
    ...{ setRange, setTimeSpan, setLanguage, setZone },
    ...{
      toggleLive,
      showNewRows,
      showEnd,
      showStart,
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
