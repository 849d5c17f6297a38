import { computed, readonly, ref, shallowRef } from 'vue';

/** The claims of a user's token that are used here. They are not verified: the server does that. */
export interface Claims {
  email?: string;
  name?: string;
  /** Unix seconds. */
  exp?: number;
  grants?: { action?: string; scope?: string; tenant_id?: string; client_id?: string | null }[];
  tenants?: (string | { id?: string })[];
}

const STORAGE_KEY = 'reel.session';
/** The longest delay that setTimeout accepts. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Where a tab that is opened from a signed-in one asks it for the token. */
const CHANNEL = 'reel.session';
const ANSWER_MS = 150;

type Stored = { token: string; tenant: string | null };
type Message = 'ask' | Stored;

/** What a signed-in tab of this browser answers, where there is one. */
export function askOtherTabs(): Promise<Stored | null> {
  const channel = new BroadcastChannel(CHANNEL);
  return new Promise<Stored | null>((resolve) => {
    channel.onmessage = ({ data }: MessageEvent<Message>) => data !== 'ask' && resolve(data);
    setTimeout(() => resolve(null), ANSWER_MS);
    channel.postMessage('ask' satisfies Message);
  }).finally(() => channel.close());
}

/**
 * Who is signed in: a token that stays in this tab, and those opened from it, and the tenant it is used for.
 * `isEmbedded`: the token stays in memory, and comes from the host's page.
 */
export function useSession({ isEmbedded = false } = {}) {
  const stored = isEmbedded
    ? null
    : (JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null') as Stored | null);
  const token = ref(stored?.token ?? null);
  const tenant = ref(stored?.tenant ?? null);
  const isExpired = ref(false);
  const claims = computed(() => (token.value ? readClaims(token.value) : null));
  /** The tenants that the token grants something in or names. */
  const tenants = computed(() => [
    ...new Set([
      ...(claims.value?.grants ?? []).flatMap((grant) => grant.tenant_id ?? []),
      ...(claims.value?.tenants ?? []).flatMap((tenant) =>
        typeof tenant === 'string' ? tenant : (tenant.id ?? []),
      ),
    ]),
  ]);
  /** Whether the token lets view a whole tenant, as far as it tells: others' grants are known to the server alone. */
  const mayViewAllOf = (tenantId: string | null) =>
    claims.value?.grants?.some(
      ({ action, scope, tenant_id }) =>
        action === 'reel.logs.view' && scope === 'ACCOUNT' && tenant_id === tenantId,
    ) ?? true;
  const signIns = shallowRef(0);
  let timer: ReturnType<typeof setTimeout> | undefined;

  function store(): void {
    if (!isEmbedded)
      sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ token: token.value, tenant: tenant.value }));
  }

  function watchExpiry(): void {
    clearTimeout(timer);
    const { exp } = claims.value ?? {};
    if (typeof exp !== 'number') return;
    const remaining = exp * 1000 - Date.now();
    if (remaining <= 0) isExpired.value = true;
    else timer = setTimeout(watchExpiry, Math.min(remaining, MAX_DELAY_MS));
  }

  /** Takes a token, a link with one, or the hash of such a link. False where the text holds no token. */
  function signIn(text: string): { tenant: string | null; client: string | null } | false {
    const hash = /#?([^#]*\btoken=[^#]*)$/.exec(text.trim())?.[1];
    const params = new URLSearchParams(hash ?? `token=${text.trim()}`);
    const newToken = params.get('token')?.replace(/^Bearer\s+/i, '') ?? '';
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(newToken)) return false;
    token.value = newToken;
    isExpired.value = false;
    const newTenant = params.get('tenant')?.toLowerCase() || null;
    if (newTenant) tenant.value = newTenant;
    else if (tenants.value.length > 0 && !tenants.value.includes(tenant.value ?? '')) tenant.value = null;
    store();
    watchExpiry();
    signIns.value++;
    return { tenant: newTenant, client: params.get('client')?.toLowerCase() || null };
  }

  if (!isEmbedded) {
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data === 'ask' && token.value && !isExpired.value)
        channel.postMessage({ token: token.value, tenant: tenant.value } satisfies Message);
    };
  }

  watchExpiry();
  return {
    token: readonly(token),
    tenant: readonly(tenant),
    claims,
    tenants,
    mayViewAllOf,
    /** Whether a new token is needed, and was not declined by dismiss(). */
    isExpired: readonly(isExpired),
    /** Counts sign-ins. Whatever failed for want of a valid token is loaded again when it changes. */
    signIns: readonly(signIns),
    signIn,
    /** Called when the server rejects the token. */
    expire(): void {
      isExpired.value = true;
    },
    /** Closes the dialog without a new token, until the server rejects the old one again. */
    dismiss(): void {
      isExpired.value = false;
    },
  };
}

export type Session = ReturnType<typeof useSession>;

function readClaims(token: string): Claims | null {
  try {
    const bytes = Uint8Array.from(
      atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')),
      (char) => char.charCodeAt(0),
    );
    return JSON.parse(new TextDecoder().decode(bytes)) as Claims;
  } catch {
    return null;
  }
}
