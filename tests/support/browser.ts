import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import manifest from '../../package.json' with { type: 'json' };

/**
 * Starts a real Chromium without system packages: @sparticuz/chromium on Linux x64, an installed Chrome elsewhere.
 * Close it after the tests.
 */
export async function launchBrowser(): Promise<Browser> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return chromium.launch({ channel: 'chrome' });
  const directory = await unpackedChromium();
  const fontconfig = join(directory, 'reel-fonts.conf');
  return chromium.launch({
    executablePath: join(directory, 'chromium'),
    args: ['--no-sandbox', '--no-zygote', '--disable-gpu', '--font-render-hinting=none'],
    env: {
      ...process.env,
      LD_LIBRARY_PATH: join(directory, 'al2023', 'lib'),
      FONTCONFIG_FILE: fontconfig,
    },
  });
}

/** Unpacks Chromium once per machine. Test files that start together each unpack it, and the first to finish wins. */
async function unpackedChromium(): Promise<string> {
  // Read on import: it selects the packed libraries.
  process.env.AWS_LAMBDA_JS_RUNTIME ??= 'nodejs24.x';
  const { default: packed } = await import('@sparticuz/chromium');
  const directory = join(tmpdir(), `reel-chromium-${manifest.devDependencies['@sparticuz/chromium']}`);
  if (existsSync(directory)) return directory;
  const staging = await mkdtemp(`${directory}-`);
  const before = process.env.TMPDIR;
  process.env.TMPDIR = staging;
  try {
    await packed.executablePath();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
  await writeFile(join(staging, 'reel-fonts.conf'), fontsConf(directory));
  await rename(staging, directory).catch(() => rm(staging, { recursive: true, force: true }));
  return directory;
}

const fontsConf = (directory: string) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${directory}/fonts/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${directory}/fonts-cache</cachedir>
</fontconfig>
`;

export interface Watched {
  /** URLs of requests to other origins. */
  foreign: string[];
  /** What the Content-Security-Policy blocked. */
  violations: string[];
  /** Console errors and uncaught exceptions. */
  errors: string[];
}

/** Records what a page must never do; call it before the first navigation. data: and blob: URLs are not requests. */
export function watchPage(page: Page, origin: string): Watched {
  const watched: Watched = { foreign: [], violations: [], errors: [] };
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && url.origin !== origin) watched.foreign.push(url.href);
  });
  page.on('pageerror', (error) => watched.errors.push(error.stack ?? error.message));
  page.on('console', (message) => {
    if (message.type() !== 'error') return;
    const list = message.text().includes('Content Security Policy') ? watched.violations : watched.errors;
    list.push(message.text());
  });
  return watched;
}
