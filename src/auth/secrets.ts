import { generateKeyPairSync, hkdfSync, randomBytes, randomUUID } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../config/config.js';

const shape = z.object({
  jwtSecret: z.string().min(32),
  serviceSecret: z.string().min(32),
  signingKey: z.string().startsWith('-----BEGIN PRIVATE KEY-----'),
});

/** Secrets generated in development where the settings give none; `signingKey` is an Ed25519 key as PKCS 8 PEM. */
export type DevelopmentSecrets = z.infer<typeof shape>;

/**
 * The secrets in the data directory's secrets.json (mode 0600), generated at the first call. Two processes that start at
 * once get the same ones. Errors: an Error of one line where the file exists and cannot be used.
 */
export async function developmentSecrets(dataDir: string): Promise<DevelopmentSecrets> {
  const file = join(dataDir, 'secrets.json');
  await mkdir(dataDir, { recursive: true });
  return (await readSecrets(file)) ?? (await generateSecrets(dataDir, file));
}

/** In development, fills in missing secrets and a missing signing key; otherwise returns the settings unchanged. */
export async function withDevelopmentSecrets(config: Config): Promise<Config> {
  // First, since a command in production may not be able to read every secret.
  if (config.env !== 'development') return config;
  const { jwtSecrets, jwksUrl, serviceSecrets, signingKey, streamKeys } = config;
  const knowsPeople = jwtSecrets.length > 0 || jwksUrl !== null;
  const isComplete = knowsPeople && serviceSecrets.length > 0 && signingKey !== null && streamKeys.length > 0;
  if (isComplete) return config;
  const generated = await developmentSecrets(config.dataDir);
  return Object.freeze({
    ...config,
    jwtSecrets: knowsPeople ? jwtSecrets : [generated.jwtSecret],
    serviceSecrets: serviceSecrets.length > 0 ? serviceSecrets : [generated.serviceSecret],
    signingKey: signingKey ?? generated.signingKey,
    streamKeys: streamKeys.length > 0 ? streamKeys : [streamKeyOf(generated)],
  });
}

/** Made of a secret that is kept, so that data directories from before there were streams have one too. */
const streamKeyOf = ({ serviceSecret }: DevelopmentSecrets): string =>
  Buffer.from(hkdfSync('sha256', serviceSecret, '', 'reel development stream key', 32)).toString('base64');

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
      `${file}: expected the development secrets as JSON, got something else; delete it to generate new ones`,
    );
  return read.data;
}

/** Writes a temporary file and links it into place, which fails where the name exists: the first process wins. */
async function generateSecrets(dataDir: string, file: string): Promise<DevelopmentSecrets> {
  const generated: DevelopmentSecrets = {
    jwtSecret: randomBytes(32).toString('base64url'),
    serviceSecret: randomBytes(32).toString('base64url'),
    signingKey: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
  const draft = join(dataDir, `.secrets-${randomUUID()}`);
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(generated, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(draft, file);
    return generated;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const existing = await readSecrets(file);
    if (existing === null) throw error;
    return existing;
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
