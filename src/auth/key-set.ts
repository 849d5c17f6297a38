import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { readBody } from './response-body.js';

const TIMEOUT_MS = 2_000;
const MAX_BYTES = 1024 * 1024;

/** The key set could not be fetched, or what was fetched is not one. */
export class KeySetUnreachable extends Error {}

const keySetShape = z.object({ keys: z.array(z.looseObject({})) });

/** Keys of the JWKS (RFC 7517) at a URL: cached for 10 minutes, fetched again for an unknown key at most every 30 seconds. */
export function keySet(url: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(url), {
    timeoutDuration: TIMEOUT_MS,
    [customFetch]: async (address, init) => {
      try {
        const response = await fetch(address, { ...init, redirect: 'error' });
        if (response.status !== 200) throw new Error(`expected status 200, got ${response.status}`);
        return Response.json(keySetShape.parse(JSON.parse(await readBody(response, MAX_BYTES))));
      } catch (cause) {
        throw new KeySetUnreachable('no key set', { cause });
      }
    },
  });
}
