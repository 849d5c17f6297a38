import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';

export interface PagesOptions {
  /** Whether /playground answers at all. */
  playground: boolean;
  /** Origins whose pages may show these in a frame. */
  allowedOrigins?: readonly string[];
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
};
type Directives = Record<string, readonly string[]>;

/** As a header, with who may show the page in a frame. */
function policy(directives: Directives, origins: readonly string[]): string {
  const all = { ...directives, frameAncestors: origins.length > 0 ? origins : ["'none'"] };
  return Object.entries(all)
    .map(([name, sources]) => [kebab(name), ...sources].join(' '))
    .join(';');
}

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** What @fastify/helmet sets, which a host may have for its own pages, with its own rules. */
const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Origin-Agent-Cluster': '?1',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-DNS-Prefetch-Control': 'off',
  'X-Download-Options': 'noopen',
  'X-Permitted-Cross-Domain-Policies': 'none',
  'X-XSS-Protection': '0',
};

/**
 * The pages: `/` (the stage) and, where it is on, `/playground`, with what they load. Everything they load comes from
 * here and has its content's hash in its name. References are relative, so the plug-in may stand under a prefix.
 */
export async function pages(app: FastifyInstance, options: PagesOptions): Promise<void> {
  const { directory = BUILT, allowedOrigins = [] } = options;
  app.addHook('onSend', async (_request, reply) => {
    reply.headers(HEADERS);
    if (!ownPolicies.has(reply)) reply.header(POLICY, policy(STRICT, allowedOrigins));
    // It knows no list of origins, and browsers pass it over where there is a policy.
    if (allowedOrigins.length > 0) reply.removeHeader(FRAMES);
    else reply.header(FRAMES, 'DENY');
  });
  await app.register(stage, { root: join(directory, 'stage'), leadsToPlayground: options.playground });
  if (options.playground)
    await app.register(playground, { root: join(directory, 'playground'), allowedOrigins });
}

const POLICY = 'Content-Security-Policy';
const FRAMES = 'X-Frame-Options';
/** Answers with a policy of their own. */
const ownPolicies = new WeakSet<FastifyReply>();

interface StageOptions {
  root: string;
  /** Whether the viewer links to the playground. */
  leadsToPlayground: boolean;
}

/** In web/stage/index.html, what the viewer is put into. */
const MOUNT = '<div id="stage"';

async function stage(app: FastifyInstance, { root, leadsToPlayground }: StageOptions): Promise<void> {
  app.get('/', async (request, reply) => {
    const [path = '', query] = request.url.split('?', 2);
    // What the page refers to would be looked for beside the prefix.
    if (!path.endsWith('/'))
      return reply.redirect(
        `${path.slice(path.lastIndexOf('/') + 1)}/${query === undefined ? '' : `?${query}`}`,
        308,
      );
    const html = await readPage(root);
    reply.header('Cache-Control', 'no-cache').type('text/html; charset=utf-8');
    if (html === null) return NOT_BUILT;
    return leadsToPlayground ? html.replace(MOUNT, `${MOUNT} data-playground`) : html;
  });
  await app.register(assets, { prefix: '/assets', root: join(root, 'assets') });
}

interface PlaygroundOptions {
  root: string;
  allowedOrigins: readonly string[];
}

async function playground(app: FastifyInstance, { root, allowedOrigins }: PlaygroundOptions): Promise<void> {
  app.get('/playground', async (_request, reply) => {
    const html = await readPage(root);
    if (html === null) return reply.callNotFound();
    const nonce = randomBytes(16).toString('base64url');
    ownPolicies.add(reply);
    reply.header(POLICY, policy(playgroundPolicy(nonce), allowedOrigins));
    reply.header('Cache-Control', 'no-store').type('text/html; charset=utf-8');
    return html.replaceAll(NONCE, nonce);
  });
  app.get('/playground/', async (_request, reply) => reply.redirect('../playground', 308));
  await app.register(assets, { prefix: '/playground', root: join(root, 'playground') });
}

/**
 * As strict as its editor allows: Monaco makes style elements (given the nonce by web/playground/nonce.ts) and sets
 * style attributes through innerHTML, which only 'unsafe-inline' for attributes permits.
 */
function playgroundPolicy(nonce: string): Directives {
  const { styleSrc: _, ...rest } = STRICT;
  return {
    ...rest,
    styleSrcElem: ["'self'", `'nonce-${nonce}'`],
    styleSrcAttr: ["'unsafe-inline'"],
  };
}

/** What Vite calls a file. Any other name is not even looked for, since some take long to be made a path. */
const FILE = /^(?:[\w-][\w.-]{0,99}\/){0,4}[\w-][\w.-]{0,199}$/;

/** Files whose names change with their content, precompressed where that pays. */
async function assets(app: FastifyInstance, { root }: { root: string }): Promise<void> {
  if (!existsSync(root)) return;
  app.addHook<{ Params: { '*'?: string } }>('onRequest', async (request, reply) =>
    FILE.test(request.params['*'] ?? '') ? undefined : reply.code(404).send({ detail: 'Not Found' }),
  );
  await app.register(fastifyStatic, {
    root,
    // A host may have files of its own, and with them what this would decorate replies with.
    decorateReply: false,
    preCompressed: true,
    index: false,
    dotfiles: 'ignore',
    maxAge: '365d',
    immutable: true,
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
