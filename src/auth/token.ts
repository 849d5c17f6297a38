import { createSecretKey } from 'node:crypto';
import {
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
  SignJWT,
} from 'jose';
import { LRUCache } from 'lru-cache';
import { clip, unauthenticated, unavailable } from '../errors.js';
import { type Credential, type Membership, moduleOf, personOf } from './credential.js';
import { type Grant, grantToWire } from './grant.js';
import { KeySetUnreachable, keySet } from './key-set.js';

/**
 * What tokens are verified with; Config is one. `jwksUrl` takes precedence over `jwtSecrets`; without `serviceSecrets` no
 * module's credential is valid. `jwtIssuer` and `jwtAudience` are asked of people's tokens where they are given.
 */
export interface TokenKeys {
  readonly jwtSecrets: readonly string[];
  readonly jwksUrl: string | null;
  readonly serviceSecrets: readonly string[];
  readonly jwtIssuer?: string | null;
  readonly jwtAudience?: string | null;
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
  /** Claims beyond those that every token has. */
  readonly claims: Pick<JWTVerifyOptions, 'issuer' | 'audience'>;
  readonly read: (claims: JWTPayload, token: string) => Credential;
}

/** Whether a token is a person's or a module's depends on the key that signed it, never on its claims. */
export function tokenVerifier(
  keys: TokenKeys,
  now: () => number = Date.now,
  onKeySetFault: (error: unknown) => void = () => {},
): VerifyToken {
  const { jwtSecrets, jwksUrl, serviceSecrets, jwtIssuer, jwtAudience } = keys;
  const claims = {
    ...(jwtIssuer != null && { issuer: jwtIssuer }),
    ...(jwtAudience != null && { audience: jwtAudience }),
  };
  const people = { claims, read: personOf };
  const modules = { claims: {}, read: moduleOf };
  const bySecret = (text: string) => ({ get: secret(text), algorithms: ['HS256'] });
  const candidates: VerificationKey[] = [
    ...(jwksUrl === null
      ? jwtSecrets.map((text) => ({ ...bySecret(text), ...people }))
      : [{ get: keySet(jwksUrl, onKeySetFault), algorithms: ['RS256', 'ES256', 'EdDSA'], ...people }]),
    ...serviceSecrets.map((text) => ({ ...bySecret(text), ...modules })),
  ];

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
    throw unauthenticated('signature: of none of the accepted keys and algorithms');
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
    throw unauthenticated(refusalOf(error, key));
  }
  // jose would apply the leeway to exp as well, which has none, and does not check iat.
  if (claims.exp === undefined) throw unauthenticated('claim exp: missing');
  if (claims.exp * 1000 <= now) throw unauthenticated('claim exp: in the past');
  if (claims.iat !== undefined && claims.iat > now / 1000 + LEEWAY_SECONDS)
    throw unauthenticated('claim iat: in the future');
  return claims;
}

/** For the log: the claim that is at fault, and of the issuer and the audience what came. */
function refusalOf(error: unknown, { claims }: VerificationKey): string {
  if (error instanceof errors.JWTExpired) return 'claim exp: in the past';
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, payload } = error;
    if (claim === 'iss') return `claim iss: expected ${clip(claims.issuer)}, got ${clip(payload.iss)}`;
    if (claim === 'aud') return `claim aud: expected ${clip(claims.audience)}, got ${clip(payload.aud)}`;
    return `claim ${claim}: ${error.reason === 'check_failed' ? 'out of its time' : 'malformed or missing'}`;
  }
  return error instanceof errors.JOSEError ? `token: ${error.code}` : 'token: unreadable';
}

async function verify(token: string, key: VerificationKey, now: number): Promise<JWTPayload> {
  const options = {
    ...key.claims,
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

/** What the settings ask of people's tokens beside the signature. */
export type IssuedClaims = Pick<TokenKeys, 'jwtIssuer' | 'jwtAudience'>;

/** A person's token as Guardian would issue it. */
export function issuePersonToken(
  jwtSecret: string,
  who: PersonToken,
  { jwtIssuer, jwtAudience }: IssuedClaims = {},
): Promise<string> {
  const { id, grants, minutes, ...claims } = who;
  const named = {
    ...(jwtIssuer != null && { iss: jwtIssuer }),
    ...(jwtAudience != null && { aud: jwtAudience }),
  };
  return sign(jwtSecret, { ...claims, ...named, sub: id, grants: grants?.map(grantToWire) }, minutes);
}

/** A module's service credential. */
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
