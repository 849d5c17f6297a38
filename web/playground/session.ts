/** What a sign-in link holds. It never leaves this tab. */
export interface Session {
  token: string;
  tenant: string | null;
  client: string | null;
}

/** Claims of the token, which only the server verifies. */
export interface Bearer {
  name: string;
  kind: 'person' | 'module';
  /** Unix milliseconds. */
  expiresAt: number | null;
}

const KEY = 'reel.playground.session';

/** Moves `#token=…&tenant=…&client=…` from the URL to sessionStorage. Returns the current session. */
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
  const stored = sessionStorage.getItem(KEY);
  return stored === null ? null : (JSON.parse(stored) as Session);
}

export function closeSession(): void {
  sessionStorage.removeItem(KEY);
}

/** Request headers; none without a session. */
export function credentials(session: Session | null): Record<string, string> {
  if (!session) return {};
  return {
    Authorization: `Bearer ${session.token}`,
    ...(session.tenant ? { 'X-Tenant-Id': session.tenant } : {}),
    ...(session.client ? { 'X-Client-Id': session.client } : {}),
  };
}

/** The clients that the session's person may export from, in the tenant; none where the token does not say. */
export function exportClients(session: Session | null): string[] {
  const grants = session && claimsOf(session.token)?.grants;
  if (!Array.isArray(grants)) return [];
  const clients = grants.flatMap(({ action, tenant_id, client_id }) =>
    action === 'reel.logs.export' && client_id && (session?.tenant ?? tenant_id) === tenant_id
      ? [client_id]
      : [],
  );
  return [...new Set(clients)];
}

/** As the token's grants name the session's tenant; null where they do not. */
export function tenantName(session: Session): string | null {
  const grants = claimsOf(session.token)?.grants;
  if (!Array.isArray(grants)) return null;
  const named = grants.find(({ tenant_id, tenant_name }) => tenant_id === session.tenant && tenant_name);
  return named ? String(named.tenant_name) : null;
}

function claimsOf(token: string): Record<string, unknown> | null {
  try {
    const [, payload = ''] = token.split('.');
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
      c.charCodeAt(0),
    );
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** Null where the token is not a JWT. */
export function readBearer(token: string): Bearer | null {
  const claims = claimsOf(token);
  if (!claims) return null;
  const claim = (name: string) => (typeof claims[name] === 'string' ? claims[name] : null);
  const module = claim('module');
  return {
    kind: module === null ? 'person' : 'module',
    name: module ?? claim('name') ?? claim('email') ?? claim('sub') ?? 'unknown',
    expiresAt: typeof claims.exp === 'number' ? claims.exp * 1000 : null,
  };
}
