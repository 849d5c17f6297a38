import { reactive } from 'vue';
import { readLink, type View, writeLink } from './link.js';
import type { Session } from './session.js';
import { i18n, isLanguage, speak } from './words.js';

/** The view and the browser's address, each of which follows the other. */
export function useAddress(session: Session) {
  const view = reactive<View>(readLink(location.search));

  /** The search part for a view; a tenant is left out where there is no other. */
  const searchOf = (said: View) =>
    writeLink(session.tenants.value.length === 1 ? { ...said, tenant: null } : said);

  function write(how: 'push' | 'replace'): void {
    const now = location.pathname + searchOf(view);
    if (now === location.pathname + location.search + location.hash) return;
    history[how === 'push' ? 'pushState' : 'replaceState'](null, '', now);
  }

  function go(change: Partial<View>, how: 'push' | 'replace' = 'push'): void {
    Object.assign(view, change);
    write(how);
  }

  /** Back and forward. */
  function follow(): void {
    takeHash();
    const said = readLink(location.search);
    Object.assign(view, said, { tenant: said.tenant ?? session.tenant.value });
    if (isLanguage(said.lang) && said.lang !== i18n.global.locale.value) void speak(said.lang);
  }

  /** Signs in by what stands behind the address's #, which leaves it at once. */
  function takeHash(): void {
    const { hash } = location;
    if (!/[#&]token=/.test(hash)) return;
    history.replaceState(null, '', location.pathname + location.search);
    signIn(hash);
  }

  /** False where there is no token in what was said. */
  function signIn(said: string): boolean {
    const named = session.signIn(said);
    if (!named) return false;
    view.tenant = session.tenant.value ?? view.tenant;
    view.client = named.client ?? view.client;
    write('replace');
    return true;
  }

  function begin(): void {
    takeHash();
    view.tenant ??= session.tenant.value;
    addEventListener('popstate', follow);
    addEventListener('hashchange', takeHash);
  }

  return { view, searchOf, go, signIn, begin };
}
