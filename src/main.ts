#!/usr/bin/env node
import 'reflect-metadata';
import { setTimeout } from 'node:timers/promises';
import { readConfig } from './config/config.js';
import { prepareDevelopment } from './development/prepare.js';
import { welcome } from './development/welcome.js';
import { oneLineFault } from './errors.js';
import { createReelServer } from './server.js';

/** A database that does not answer keeps nobody from ending; what it did not take was not acknowledged either. */
const END_MS = 20_000;

// Heard from the first moment, so that a start that is broken off leaves no database behind.
const askedToEnd = new Promise<null>((end) => {
  process.on('SIGINT', () => end(null)).on('SIGTERM', () => end(null));
});

try {
  const { config, stop } = await prepareDevelopment(readConfig(process.env));
  try {
    const server = await Promise.race([createReelServer(config), askedToEnd]);
    if (server) {
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
