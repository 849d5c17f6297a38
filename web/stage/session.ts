import { computed, readonly, ref, shallowRef } from 'vue';

/** What a person's token says about its holder, as far as it can be read. It is the server that believes it or not. */
export interface Claims {
  email?: string;
  name?: string;
  /** Unix seconds. */
  exp?: number;
  grants?: { action?: string; tenant_id?: string; client_id?: string | null }[];
  tenants?: string[];
}

const KEPT = 'reel.session';
/** The longest wait that setTimeout takes. */
const LONGEST_MS = 2 ** 31 - 1;

/** Who looks: a token that stays in this tab, and the tenant it is used for. */
export function useSession() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null') as {
    token: string;
    tenant: string | null;
  } | null;
  const token = ref(kept?.token ?? null);
  const tenant = ref(kept?.tenant ?? null);
  /** Whether another token is asked for. */
  const expired = ref(false);
  const claims = computed(() => (token.value ? readClaims(token.value) : null));
  /** In which the person holds a grant or is a member, where the token says so. */
  const tenants = computed(() => [
    ...new Set([
      ...(claims.value?.grants ?? []).flatMap((grant) => grant.tenant_id ?? []),
      ...(claims.value?.tenants ?? []),
    ]),
  ]);
  const renewals = shallowRef(0);
  let timer: ReturnType<typeof setTimeout> | undefined;

  function keep(): void {
    sessionStorage.setItem(KEPT, JSON.stringify({ token: token.value, tenant: tenant.value }));
  }

  function watchExpiry(): void {
    clearTimeout(timer);
    const { exp } = claims.value ?? {};
    if (typeof exp !== 'number') return;
    const left = exp * 1000 - Date.now();
    if (left <= 0) expired.value = true;
    else timer = setTimeout(watchExpiry, Math.min(left, LONGEST_MS));
  }

  /** Takes a token, or a link or the end of a link that holds one. False where there is none in it. */
  function signIn(said: string): { tenant: string | null; client: string | null } | false {
    const hash = /#?([^#]*\btoken=[^#]*)$/.exec(said.trim())?.[1];
    const parts = new URLSearchParams(hash ?? `token=${said.trim()}`);
    const given = parts.get('token')?.replace(/^Bearer\s+/i, '') ?? '';
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(given)) return false;
    token.value = given;
    expired.value = false;
    const named = parts.get('tenant')?.toLowerCase() || null;
    if (named) tenant.value = named;
    else if (tenants.value.length > 0 && !tenants.value.includes(tenant.value ?? '')) tenant.value = null;
    keep();
    watchExpiry();
    renewals.value++;
    return { tenant: named, client: parts.get('client')?.toLowerCase() || null };
  }

  watchExpiry();
  return {
    token: readonly(token),
    tenant: readonly(tenant),
    claims,
    tenants,
    /** Whether the token ran out and no other has come yet. */
    expired: readonly(expired),
    /** Counts the tokens taken, so that what failed for want of one can be asked again. */
    renewals: readonly(renewals),
    signIn,
    setTenant(id: string): void {
      tenant.value = id;
      keep();
    },
    /** The server refused the token. */
    expire(): void {
      expired.value = true;
    },
    /** Looks on without another token, until one is needed. */
    dismiss(): void {
      expired.value = false;
    },
  };
}

export type Session = ReturnType<typeof useSession>;

function readClaims(token: string): Claims | null {
  try {
    const bytes = Uint8Array.from(
      atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')),
      (letter) => letter.charCodeAt(0),
    );
    return JSON.parse(new TextDecoder().decode(bytes)) as Claims;
  } catch {
    return null;
  }
}
