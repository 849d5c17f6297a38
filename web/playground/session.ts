/** Who calls: what a signed-in link brings, kept for this tab alone. */
export interface Session {
  token: string;
  tenant: string | null;
  client: string | null;
}

export interface Bearer {
  /** As the token says; nothing here checks it, the server does. */
  name: string;
  kind: 'person' | 'module';
  /** Unix milliseconds. */
  expiresAt: number | null;
}

const KEY = 'reel.playground.session';

/** Takes `#token=…&tenant=…&client=…` off the address bar into this tab's sessionStorage; answers who calls now. */
export function openSession(): Session | null {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get('token');
  if (token) {
    history.replaceState(null, '', location.pathname + location.search);
    const session = { token, tenant: given.get('tenant') || null, client: given.get('client') || null };
    sessionStorage.setItem(KEY, JSON.stringify(session));
  }
  return currentSession();
}

export function currentSession(): Session | null {
  const kept = sessionStorage.getItem(KEY);
  return kept === null ? null : (JSON.parse(kept) as Session);
}

export function closeSession(): void {
  sessionStorage.removeItem(KEY);
}

/** The headers that say who calls; none where nobody is signed in. */
export function credentials(session: Session | null): Record<string, string> {
  if (!session) return {};
  return {
    Authorization: `Bearer ${session.token}`,
    ...(session.tenant ? { 'X-Tenant-Id': session.tenant } : {}),
    ...(session.client ? { 'X-Client-Id': session.client } : {}),
  };
}

/** What the token says of its bearer; null where it is no JWT. */
export function readBearer(token: string): Bearer | null {
  try {
    const [, payload = ''] = token.split('.');
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
      c.charCodeAt(0),
    );
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const said = (name: string) => (typeof claims[name] === 'string' ? claims[name] : null);
    const module = said('module');
    return {
      kind: module === null ? 'person' : 'module',
      name: module ?? said('name') ?? said('email') ?? said('sub') ?? 'unknown',
      expiresAt: typeof claims.exp === 'number' ? claims.exp * 1000 : null,
    };
  } catch {
    return null;
  }
}
