/**
 * `npm run dev`: rebuilds and restarts the server whenever src changes, and serves the stage by Vite, which proxies its
 * requests to the server. Run by Node itself, so only with types that Node can strip.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, watch } from 'node:fs';
import { join, resolve } from 'node:path';
import { createServer, type ViteDevServer } from 'vite';

const root = resolve(import.meta.dirname, '..', '..');
const stage = join(root, 'web', 'stage', 'vite.config.ts');
/** Editors write a file in several steps. */
const DEBOUNCE_MS = 100;

let server: ChildProcess | null = null;
let vite: ViteDevServer | null = null;
let viteFor = '';
let timer: NodeJS.Timeout | null = null;
let restarting = false;
let again = false;
let ending = false;

function start(): void {
  const child = spawn(process.execPath, [join(root, 'dist', 'main.js')], {
    cwd: root,
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  server = child;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text);
    const [, url] = /Reel listens on ([^\s"]+)/.exec(text) ?? [];
    if (url)
      void serveStage(url).catch((error) =>
        process.stderr.write(`dev: the stage is not served: ${error.message}\n`),
      );
  });
  child.once('exit', (code) => {
    server = null;
    if (!ending && !restarting)
      process.stderr.write(`dev: the server exited with ${code}; a change starts it again\n`);
  });
}

/** The database stops with the server, so the next server may start only afterwards. */
function stop(): Promise<void> {
  const running = server;
  if (!running) return Promise.resolve();
  const exited = new Promise<void>((done) => running.once('exit', () => done()));
  running.kill('SIGTERM');
  return exited;
}

/** A build that fails leaves the running server as it is. */
async function restart(): Promise<void> {
  if (restarting) {
    again = true;
    return;
  }
  restarting = true;
  do {
    again = false;
    const { status } = spawnSync(process.execPath, [join(root, 'src', 'development', 'build.ts'), 'server'], {
      cwd: root,
      stdio: 'inherit',
    });
    if (status !== 0) continue;
    await stop();
    if (!ending) start();
  } while (again && !ending);
  restarting = false;
}

async function serveStage(url: string): Promise<void> {
  if (viteFor === url || ending || !existsSync(stage)) return;
  viteFor = url;
  await vite?.close();
  const proxied = { target: url, ws: true };
  vite = await createServer({
    configFile: stage,
    server: {
      proxy: { '/graphql': proxied, '/api': proxied, '/.well-known': proxied, '/health': proxied },
    },
  });
  await vite.listen();
  process.stdout.write(`Stage, with reload: ${vite.resolvedUrls?.local[0] ?? 'not listening'}\n`);
}

async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  await Promise.all([stop(), vite?.close()]);
  process.exit(0);
}

process.on('SIGINT', end).on('SIGTERM', end);
watch(join(root, 'src'), { recursive: true }, () => {
  if (timer) clearTimeout(timer);
  timer = setTimeout(restart, DEBOUNCE_MS);
});
start();
