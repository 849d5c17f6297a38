#!/usr/bin/env node
import 'reflect-metadata';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { readConfig } from './config/config.js';
import { oneLineFault } from './errors.js';

/** A database that does not answer keeps nobody from ending; what it did not take was not acknowledged either. */
const END_MS = 20_000;

// Left alone, V8 lets the heap grow to several times what is in use before it collects: most of what the server may hold.
setFlagsFromString('--heap-growing-percent=20');

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
      process.stdout.write(await welcome(server.url, config));
      await askedToEnd;
      await Promise.race([server.close(), setTimeout(END_MS)]);
    }
  } finally {
    await stop();
  }
  process.exit(0);
} catch (error) {
  process.stderr.write(`reel: ${oneLineFault(error)}\n`);
  process.exit(1);
}
