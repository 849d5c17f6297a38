import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import helmet from '@fastify/helmet';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';

export interface PagesOptions {
  /** Whether /playground answers at all. */
  playground: boolean;
  /** Where the built pages are; each in a folder of its own. */
  directory?: string;
}

const BUILT = resolve(import.meta.dirname, '..', '..', 'dist');
/** In web/playground/index.html, where the nonce of each answer goes. */
const NONCE = '__REEL_NONCE__';

const STRICT = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  fontSrc: ["'self'"],
  connectSrc: ["'self'"],
  workerSrc: ["'self'"],
  manifestSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};

const policy = (directives: Record<string, string[]>) => ({ useDefaults: false, directives });

/**
 * The pages: `/` (the stage) and, where it is on, `/playground`, with what they load. Everything they load comes from
 * here and has its content's hash in its name. References are relative, so the plug-in may stand under a prefix.
 */
export async function pages(app: FastifyInstance, options: PagesOptions): Promise<void> {
  const directory = options.directory ?? BUILT;
  await app.register(helmet, {
    global: false,
    contentSecurityPolicy: policy(STRICT),
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    // Whether every name of this host is served over TLS is its operator's to say.
    strictTransportSecurity: false,
  });
  await app.register(fastifyStatic, {
    root: directory,
    serve: false,
    preCompressed: true,
    index: false,
    dotfiles: 'ignore',
  });
  await app.register(stage, { root: join(directory, 'stage') });
  if (options.playground) await app.register(playground, { root: join(directory, 'playground') });
}

async function stage(app: FastifyInstance, { root }: { root: string }): Promise<void> {
  app.get('/', { helmet: {} }, async (_request, reply) => {
    const html = await readPage(root);
    reply.header('Cache-Control', 'no-cache').type('text/html; charset=utf-8');
    return html ?? NOT_BUILT;
  });
  assets(app, '/assets', join(root, 'assets'));
}

async function playground(app: FastifyInstance, { root }: { root: string }): Promise<void> {
  app.get('/playground', async (_request, reply) => {
    const html = await readPage(root);
    if (html === null) return reply.callNotFound();
    const nonce = randomBytes(16).toString('base64url');
    reply.helmet({ contentSecurityPolicy: policy(playgroundPolicy(nonce)) });
    reply.header('Cache-Control', 'no-store').type('text/html; charset=utf-8');
    return html.replaceAll(NONCE, nonce);
  });
  app.get('/playground/', async (_request, reply) => reply.redirect('../playground', 308));
  assets(app, '/playground', join(root, 'playground'));
}

/**
 * As strict as its editor allows: Monaco makes style elements (given the nonce by web/playground/nonce.ts) and sets
 * style attributes through innerHTML, which only 'unsafe-inline' for attributes permits.
 */
function playgroundPolicy(nonce: string): Record<string, string[]> {
  const { styleSrc: _, ...rest } = STRICT;
  return {
    ...rest,
    styleSrcElem: ["'self'", `'nonce-${nonce}'`],
    styleSrcAttr: ["'unsafe-inline'"],
  };
}

/** Files whose names change with their content, precompressed where that pays. */
function assets(app: FastifyInstance, prefix: string, root: string): void {
  app.get<{ Params: { '*': string } }>(`${prefix}/*`, { helmet: {} }, (request, reply): FastifyReply => {
    const options = { maxAge: '365d', immutable: true };
    return reply.sendFile(request.params['*'], root, options);
  });
}

/** Null where the page is not built. Read anew each time, since `npm run dev` builds beside a running server. */
async function readPage(root: string): Promise<string | null> {
  return readFile(join(root, 'index.html'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Reel</title>
<h1>Reel</h1>
<p>The audit trail is running: <a href="health/ready">health</a>, <a href="playground">playground</a> (where it is on).
The viewer was not built.</p>
</html>
`;
