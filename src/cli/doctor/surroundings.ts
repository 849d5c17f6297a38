import type { Config } from '../../config/config.js';
import { ConfigError } from '../../config/config.js';
import { connectPool } from '../../database/session.js';
import { vkeyOf } from '../../seal/note.js';
import { readKeys } from '../../seal/signing-keys.js';
import { type Finding, toDo, well } from './finding.js';

const TIMEOUT_MS = 5_000;

/** What is wrong with the settings for a server. */
export function lookAtSettings(serverConfig: () => Config): Finding {
  try {
    const { env, host, port } = serverConfig();
    return well('settings', `complete for a server in ${env}, at ${host}:${port}`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return toDo('settings', error.message);
  }
}

/**
 * Whether the key that signs is the one that others were told of. `own`: as a vkey; null: there is none. `url`: the runtime
 * role's; null: nothing can be read there.
 */
export async function lookAtKeys(own: string | null, url: string | null): Promise<Finding> {
  if (own === null)
    return toDo(
      'signing key',
      'expected REEL_SIGNING_KEY (reel key --new makes one) and REEL_ORIGIN, got nothing',
    );
  if (url === null) return well('signing key', `${own}; no database to compare it with`);
  const database = await connectPool(url, 1);
  try {
    const published = (await readKeys(database)).map(vkeyOf);
    if (published.includes(own))
      return well(
        'signing key',
        `${own}, published${published.length > 1 ? `, with ${published.length - 1} before it` : ''}`,
      );
    return published.length === 0
      ? well('signing key', `${own}; the first start publishes it`)
      : toDo(
          'signing key',
          `${own} has signed nothing here yet, and ${published[0]} has: where that is no rotation, restore the key`,
        );
  } finally {
    await database.close();
  }
}

/** Any answer tells that somebody is there; what they make of a note only a note would. */
async function reach(about: string, variable: string, url: string): Promise<Finding> {
  const { host } = new URL(url);
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.status >= 500
      ? toDo(about, `${host} answers with ${response.status}: see ${variable}`)
      : well(about, `${host} answers`);
  } catch (error) {
    const { cause, message } = error as Error;
    const why = (cause as { code?: string } | undefined)?.code ?? message;
    return toDo(about, `${host} does not answer (${why}): see ${variable}`);
  }
}

/** Whoever Reel asks or tells beside its database. */
export async function lookAtOthers(config: Config): Promise<Finding[]> {
  const { witnessUrl, jwksUrl, mentor, mentorUrl } = config;
  const found = [
    witnessUrl === null
      ? Promise.resolve(well('witness', 'none; keep checkpoints elsewhere, by reel checkpoint'))
      : reach('witness', 'REEL_WITNESS_URL', witnessUrl),
  ];
  if (jwksUrl !== null) found.push(reach('key set', 'REEL_JWKS_URL', jwksUrl));
  if (mentor === 'http' && mentorUrl !== null) found.push(reach('Mentor', 'REEL_MENTOR_URL', mentorUrl));
  return Promise.all(found);
}
