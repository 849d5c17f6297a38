import { useEffect, useState } from 'react';
import { closeSession, openSession, readBearer, type Session, tenantName } from './session.ts';

/** Shows who is signed in and in which tenant, with a button that signs out. */
export function SignedIn() {
  const [session, setSession] = useState(openSession);
  useEffect(() => {
    const reopen = () => setSession(openSession());
    addEventListener('hashchange', reopen);
    return () => removeEventListener('hashchange', reopen);
  }, []);
  const signOut = () => {
    closeSession();
    setSession(null);
  };
  return (
    <div className="reel-session" role="status">
      {session ? (
        <Bearer session={session} />
      ) : (
        <p>Not signed in: open the playground by a link that ends in #token=…</p>
      )}
      {session && (
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      )}
    </div>
  );
}

function Bearer({ session }: { session: Session }) {
  const bearer = readBearer(session.token);
  const hasExpired = useHasPassed(bearer?.expiresAt ?? null);
  if (hasExpired)
    return <p className="reel-warning">Signed in, but the token has run out: open a new link</p>;
  return (
    <p title={session.tenant ? `Tenant ${session.tenant}` : undefined}>
      Signed in as {bearer?.kind === 'module' ? 'module ' : ''}
      <strong>{bearer?.name ?? 'the bearer of a token'}</strong>
      {session.tenant && <> in {tenantName(session) ?? `${session.tenant.slice(0, 8)}…`}</>}
    </p>
  );
}

/** The longest delay that setTimeout accepts. */
const MAX_DELAY_MS = 2 ** 31 - 1;

function useHasPassed(instant: number | null): boolean {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (instant === null || instant <= now) return;
    const timer = setTimeout(() => setNow(Date.now()), Math.min(instant - now, MAX_DELAY_MS));
    return () => clearTimeout(timer);
  }, [instant, now]);
  return instant !== null && instant <= now;
}
