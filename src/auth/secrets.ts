import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../config/config.js';

const shape = z.object({
  jwtSecret: z.string().min(32),
  serviceSecret: z.string().min(32),
  signingKey: z.string().startsWith('-----BEGIN PRIVATE KEY-----'),
});

/** What development makes up where nothing is given; `signingKey` is Ed25519, PKCS 8 PEM. */
export type DevelopmentSecrets = z.infer<typeof shape>;

/**
 * The secrets kept in the data directory, made at the first call: a file of mode 0600. Of two processes that start at
 * once both get the same. Errors: an Error of one line, where the file is there and unreadable.
 */
export async function developmentSecrets(dataDir: string): Promise<DevelopmentSecrets> {
  const file = join(dataDir, 'secrets.json');
  await mkdir(dataDir, { recursive: true });
  return (await readSecrets(file)) ?? (await makeSecrets(dataDir, file));
}

/** The settings with what is missing of secrets and signing key made up; outside development they come back as they are. */
export async function withDevelopmentSecrets(config: Config): Promise<Config> {
  const { env, jwtSecret, jwksUrl, serviceSecret, signingKey } = config;
  const complete = (jwtSecret ?? jwksUrl) !== null && serviceSecret !== null && signingKey !== null;
  if (env !== 'development' || complete) return config;
  const made = await developmentSecrets(config.dataDir);
  return Object.freeze({
    ...config,
    jwtSecret: jwksUrl === null ? (jwtSecret ?? made.jwtSecret) : jwtSecret,
    serviceSecret: serviceSecret ?? made.serviceSecret,
    signingKey: signingKey ?? made.signingKey,
  });
}

async function readSecrets(file: string): Promise<DevelopmentSecrets | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
    await chmod(file, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const read = shape.safeParse(parseJson(text));
  if (!read.success)
    throw new Error(
      `${file}: expected the development secrets as JSON, got something else; remove it to have new ones made`,
    );
  return read.data;
}

/** Written whole beside, then linked into place: a link to a name that exists fails, so the first start wins. */
async function makeSecrets(dataDir: string, file: string): Promise<DevelopmentSecrets> {
  const made: DevelopmentSecrets = {
    jwtSecret: randomBytes(32).toString('base64url'),
    serviceSecret: randomBytes(32).toString('base64url'),
    signingKey: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
  const draft = join(dataDir, `.secrets-${randomUUID()}`);
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(made, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(draft, file);
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const kept = await readSecrets(file);
    if (kept === null) throw error;
    return kept;
  } finally {
    await rm(draft, { force: true });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
