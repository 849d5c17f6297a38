import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { readBody } from './response-body.js';

const TIMEOUT_MS = 2_000;
const MAX_BYTES = 1024 * 1024;
/** A token that names an unknown key, as after a rotation, has the set fetched again, at most so often. */
const COOLDOWN_MS = 2_000;

/** The key set could not be fetched, or what was fetched is not one. */
export class KeySetUnreachable extends Error {}

const keySetShape = z.object({ keys: z.array(z.looseObject({})) });

/**
 * Keys of the JWKS (RFC 7517) at a URL: cached for 10 minutes, fetched again for an unknown key. `onFault` is told why there
 * was none. Errors of the key that is returned: KeySetUnreachable, and jose's where the set has no such key, or several.
 */
export function keySet(url: string, onFault: (error: unknown) => void = () => {}): JWTVerifyGetKey {
  const unreachable = (cause: unknown) => {
    onFault(cause);
    return new KeySetUnreachable('no key set', { cause });
  };
  const remote = createRemoteJWKSet(new URL(url), {
    timeoutDuration: TIMEOUT_MS,
    cooldownDuration: COOLDOWN_MS,
    [customFetch]: async (address, init) => {
      try {
        const response = await fetch(address, { ...init, redirect: 'error' });
        if (response.status !== 200) {
          await response.body?.cancel();
          throw new Error(`expected status 200, got ${response.status}`);
        }
        return Response.json(keySetShape.parse(JSON.parse(await readBody(response, MAX_BYTES))));
      } catch (cause) {
        throw unreachable(cause);
      }
    },
  });
  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (error) {
      const isOfToken =
        error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
      if (isOfToken || error instanceof KeySetUnreachable) throw error;
      // The set has the key, but what stands there is none.
      throw unreachable(error);
    }
  };
}
