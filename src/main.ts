#!/usr/bin/env node
import 'reflect-metadata';
import { writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { readConfig } from './config/config.js';
import { oneLineFault } from './errors.js';
import { hasSdk } from './tracing.js';

const MIB = 1_048_576;

/** In percent. */
const [GROWTH, SAVING_GROWTH] = [60, 20];

/** A database that does not answer keeps nobody from ending; what it did not take was not acknowledged either. */
const END_MS = 20_000;

const isProduction = process.env.REEL_ENV === 'production';
if (isProduction) {
  warnInJson();
  endInJson();
}

const isToBeTraced = Boolean(
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT || process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
);
const NO_SDK =
  'OTEL_EXPORTER_OTLP_ENDPOINT: expected an SDK of OpenTelemetry that was loaded before, got none; no trace is recorded (docs/operations.md)';

// Libraries that are loaded later check themselves at each call otherwise; Reel goes by REEL_ENV.
process.env.NODE_ENV ??= 'production';
keepYoungGeneration(8 * MIB, 300 * MIB);
saveMemoryAbove(208 * MIB, 112 * MIB);

// Heard from the first moment, so that a start that is broken off leaves no database behind.
const askedToEnd = new Promise<null>((end) => {
  process.on('SIGINT', () => end(null)).on('SIGTERM', () => end(null));
});

try {
  const given = readConfig(process.env);
  // Loaded only now, which takes most of a second: a wrong setting is refused, and a signal heard, before.
  const { prepareDevelopment } = await import('./development/prepare.js');
  const { createReelServer } = await import('./server.js');
  const { welcome } = await import('./development/welcome.js');
  const { config, keepRunning, stop } = await prepareDevelopment(given);
  try {
    const server = await Promise.race([createReelServer(config), askedToEnd]);
    if (server) {
      keepRunning(server.moveDatabase);
      const said = await welcome(server.url, config);
      if (isToBeTraced && !hasSdk()) server.log.warn(NO_SDK);
      if (config.env === 'production') server.log.info(said.trimEnd());
      else process.stdout.write(said);
      await askedToEnd;
      await Promise.race([server.close(), setTimeout(END_MS)]);
    }
  } finally {
    await stop();
  }
  process.exit(0);
} catch (error) {
  const line = oneLineFault(error);
  process.stderr.write(isProduction ? logLine(60, line) : `reel: ${line}\n`);
  process.exit(1);
}

/** What is logged in production is JSON, this too: as pino writes it, which may not have been loaded. */
function logLine(level: number, msg: string, more: object = {}): string {
  return `${JSON.stringify({ level, time: Date.now(), pid: process.pid, hostname: hostname(), ...more, msg })}\n`;
}

/** Node's own warnings, which it would print as text. */
function warnInJson(): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => process.stderr.write(logLine(40, `${name}: ${message}`)));
}

/** What nothing handles ends the process, as it would by itself, which would print it as text. */
function endInJson(): void {
  process.on('uncaughtException', (error: unknown) => {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    const line = logLine(60, 'an error that nothing handled ends the server', {
      err: { type: name, message, stack },
    });
    writeSync(process.stderr.fd, line);
    process.exit(1);
  });
}

/**
 * While more than so many bytes are resident, and V8's heap takes more than `ofHeap` of them, V8 collects once the heap has grown by a
 * fifth, and gives pages that it has emptied back to the system; else once it has grown by three fifths, since a limit that was set before
 * holds until the next collection. Left alone V8 lets the heap grow to several times what is in use, and keeps such pages, which takes
 * less time.
 */
function saveMemoryAbove(bytes: number, ofHeap: number): void {
  let isSaving: boolean | null = null;
  const save = () => {
    const isAbove = process.memoryUsage.rss() > bytes && getHeapStatistics().total_heap_size > ofHeap;
    if (isAbove === isSaving) return;
    isSaving = isAbove;
    setFlagsFromString(`--heap-growing-percent=${isAbove ? SAVING_GROWTH : GROWTH}`);
    setFlagsFromString(isAbove ? '--memory-saver-mode' : '--no-memory-saver-mode');
  };
  save();
  setInterval(save, 100).unref();
}

/**
 * Keeps V8's young generation at about so many bytes, unless over `most` are resident. It would grow to 128 MiB, a limit that is fixed before this runs, and
 * shrinks to 1 MiB whenever the process is idle: then each answer is collected on its own, and what it still needs is taken for old.
 */
function keepYoungGeneration(bytes: number, most: number): void {
  let growth = 0;
  const keep = () => {
    const { space_size } = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!;
    const wanted = space_size < bytes && process.memoryUsage.rss() < most ? 2 : 1;
    if (wanted !== growth) setFlagsFromString(`--semi-space-growth-factor=${wanted}`);
    growth = wanted;
  };
  keep();
  setInterval(keep, 50).unref();
}
