#!/usr/bin/env node
import 'reflect-metadata';
import { readConfig } from './config.js';
import { prepareDevelopment } from './development.js';
import { oneLineFault } from './errors.js';
import { createReelServer } from './server.js';
import { welcome } from './welcome.js';

try {
  const { config, stop } = await prepareDevelopment(readConfig(process.env));
  const server = await createReelServer(config).catch(async (error) => {
    await stop();
    throw error;
  });
  let ending = false;
  const end = async () => {
    if (ending) return;
    ending = true;
    await server.close();
    await stop();
    process.exit(0);
  };
  process.on('SIGINT', end).on('SIGTERM', end);
  process.stdout.write(await welcome(server.url, config));
} catch (error) {
  process.stderr.write(`reel: ${oneLineFault(error)}\n`);
  process.exit(1);
}
