import { createSecretKey } from 'node:crypto';
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { unauthenticated, unavailable } from '../errors.js';
import { type Credential, type Membership, moduleOf, personOf } from './credential.js';
import { type Grant, grantToWire } from './grant.js';
import { KeySetUnreachable, keySet } from './key-set.js';

/** Sources of verification keys; Config is one. `jwksUrl` takes precedence over `jwtSecret`; without `serviceSecret` no module's credential is valid. */
export interface TokenKeys {
  readonly jwtSecret: string | null;
  readonly jwksUrl: string | null;
  readonly serviceSecret: string | null;
}

/** Verifies a token. Errors: UNAUTHENTICATED; UNAVAILABLE where the key set cannot be fetched. */
export type VerifyToken = (token: string) => Promise<Credential>;

const LEEWAY_SECONDS = 60;
/** How long a verified token is cached, never beyond its expiry: callers send the same one for hours. */
const VERIFIED_MS = 30_000;
/** Characters of all cached tokens together. */
const VERIFIED_SIZE = 8 * 1024 * 1024;

interface Verified {
  readonly credential: Credential;
  readonly at: number;
}

/** What one kind of credential is verified with; `algorithms` are those accepted, whatever a token's header says. */
interface VerificationKey {
  readonly get: JWTVerifyGetKey;
  readonly algorithms: string[];
  readonly read: (claims: JWTPayload, token: string) => Credential;
}

/** Whether a token is a person's or a module's depends on the key that signed it, never on its claims. */
export function tokenVerifier(
  keys: TokenKeys,
  now: () => number = Date.now,
  onKeySetFault: (error: unknown) => void = () => {},
): VerifyToken {
  const candidates: VerificationKey[] = [];
  if (keys.jwksUrl !== null)
    candidates.push({
      get: keySet(keys.jwksUrl, onKeySetFault),
      algorithms: ['RS256', 'ES256', 'EdDSA'],
      read: personOf,
    });
  else if (keys.jwtSecret !== null)
    candidates.push({ get: secret(keys.jwtSecret), algorithms: ['HS256'], read: personOf });
  if (keys.serviceSecret !== null)
    candidates.push({ get: secret(keys.serviceSecret), algorithms: ['HS256'], read: moduleOf });

  const verified = new LRUCache<string, Verified>({
    maxSize: VERIFIED_SIZE,
    sizeCalculation: (_, token) => token.length,
  });

  return async (token) => {
    const at = now();
    const known = verified.get(token);
    if (known && at >= known.at && at < Math.min(known.at + VERIFIED_MS, known.credential.expiresAt))
      return known.credential;
    for (const key of candidates) {
      const claims = await signedClaims(token, key, at);
      if (claims === null) continue;
      const credential = key.read(claims, token);
      verified.set(token, { credential, at });
      return credential;
    }
    throw unauthenticated();
  };
}

/** null where the token may be signed by another key. */
async function signedClaims(token: string, key: VerificationKey, now: number): Promise<JWTPayload | null> {
  let claims: JWTPayload;
  try {
    claims = await verify(token, key, now);
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return null;
    if (error instanceof errors.JOSEAlgNotAllowed) return null;
    if (error instanceof KeySetUnreachable)
      throw unavailable('The keys that verify tokens are unavailable; try again shortly');
    throw unauthenticated();
  }
  // jose would apply the leeway to exp as well, which has none, and does not check iat.
  if (claims.exp === undefined || claims.exp * 1000 <= now) throw unauthenticated();
  if (claims.iat !== undefined && claims.iat > now / 1000 + LEEWAY_SECONDS) throw unauthenticated();
  return claims;
}

async function verify(token: string, key: VerificationKey, now: number): Promise<JWTPayload> {
  const options = {
    algorithms: key.algorithms,
    clockTolerance: LEEWAY_SECONDS,
    currentDate: new Date(now),
  };
  try {
    return (await jwtVerify(token, key.get, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const candidate of error) {
      try {
        return (await jwtVerify(token, candidate, options)).payload;
      } catch (fault) {
        if (!(fault instanceof errors.JWSSignatureVerificationFailed)) throw fault;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function secret(text: string): JWTVerifyGetKey {
  const key = createSecretKey(Buffer.from(text, 'utf8'));
  return () => key;
}

/** Claims of an issued token. */
export interface PersonToken {
  readonly id: string;
  readonly email: string;
  readonly name?: string;
  readonly grants?: readonly Grant[];
  /** Plain membership: ids, or ids with names. */
  readonly tenants?: readonly (string | Membership)[];
  /** Lifetime in minutes; 8 hours by default. */
  readonly minutes?: number;
}

/** A person's token as Guardian would issue it; for development and tests. */
export function issuePersonToken(jwtSecret: string, who: PersonToken): Promise<string> {
  const { id, grants, minutes, ...claims } = who;
  return sign(jwtSecret, { ...claims, sub: id, grants: grants?.map(grantToWire) }, minutes);
}

/** A module's service credential; for development and tests. */
export function issueModuleToken(serviceSecret: string, module: string, minutes?: number): Promise<string> {
  return sign(serviceSecret, { module }, minutes);
}

function sign(text: string, claims: JWTPayload, minutes = 8 * 60): Promise<string> {
  const issuedAt = Math.floor(Date.now() / 1000);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + minutes * 60)
    .sign(createSecretKey(Buffer.from(text, 'utf8')));
}
