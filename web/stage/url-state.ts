import { reactive } from 'vue';
import { i18n, isLanguage, switchLanguage } from './i18n.js';
import { readLink, type View, writeLink } from './link.js';
import type { Embedding } from './session/embedding.js';
import type { Session } from './session/session.js';
import type { SavedViews } from './views/saved.js';

/** Keeps the view and the browser's URL in step. */
export function useUrlState(
  session: Session,
  { filled, isAsSaved }: Pick<SavedViews, 'filled' | 'isAsSaved'>,
  embedding: Embedding | null = null,
) {
  const hash = embedding?.hash ?? '';
  const view = reactive<View>(readLink(location.search));

  /** The query string for a view. The tenant is left out where the user has only one. */
  const searchOf = (state: View) =>
    writeLink({
      ...state,
      isAsSaved: isAsSaved(state),
      tenant: session.tenants.value.length === 1 ? null : state.tenant,
    });

  function write(mode: 'push' | 'replace'): void {
    const url = location.pathname + searchOf(view) + hash;
    if (url === location.pathname + location.search + location.hash) return;
    history[mode === 'push' ? 'pushState' : 'replaceState'](null, '', url);
  }

  function navigate(change: Partial<View>, mode: 'push' | 'replace' = 'push'): void {
    Object.assign(view, change);
    view.isAsSaved = isAsSaved(view);
    write(mode);
  }

  function onPopState(): void {
    readHash();
    const state = filled(readLink(location.search));
    Object.assign(view, state, { tenant: state.tenant ?? session.tenant.value });
    if (isLanguage(state.lang) && state.lang !== i18n.global.locale.value) void switchLanguage(state.lang);
  }

  /** Signs in with a token in the URL's hash, and removes it from the address bar. */
  function readHash(): void {
    const given = location.hash;
    if (!/[#&]token=/.test(given)) return;
    history.replaceState(null, '', location.pathname + location.search + hash);
    signIn(given);
  }

  /** Takes a token, or a link with one. False where the text holds none. */
  function signIn(text: string): boolean {
    const signedIn = session.signIn(text);
    if (!signedIn) return false;
    view.tenant = session.tenant.value ?? view.tenant;
    view.client = signedIn.client ?? view.client;
    write('replace');
    return true;
  }

  function start(): void {
    readHash();
    view.tenant ??= session.tenant.value;
    addEventListener('popstate', onPopState);
    addEventListener('hashchange', readHash);
  }

  return { view, searchOf, navigate, signIn, start };
}
