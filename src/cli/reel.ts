#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { readConfig, readRemote } from '../config.js';
import { checkpointCommand } from './checkpoint.js';
import { cleanupCommand } from './cleanup.js';
import { dbUrlCommand } from './db-url.js';
import { eraseCommand } from './erase.js';
import { exportCommand } from './export.js';
import { type Frame, failed, newFrame } from './frame.js';
import { holdCommand } from './hold.js';
import { keyCommand } from './key.js';
import { linkCommand } from './link.js';
import { migrateCommand } from './migrate.js';
import { seedCommand } from './seed.js';
import { tokenCommand } from './token.js';
import { verifyCommand } from './verify.js';

/** In the order that `reel --help` lists them. A further command is a file of its own and a line here. */
const COMMANDS: readonly ((program: Command, frame: Frame) => void)[] = [
  tokenCommand,
  linkCommand,
  keyCommand,
  dbUrlCommand,
  migrateCommand,
  seedCommand,
  verifyCommand,
  checkpointCommand,
  cleanupCommand,
  holdCommand,
  eraseCommand,
  exportCommand,
];

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const frame = newFrame({
  config: () => readConfig(process.env, 'command'),
  remote: () => readRemote(process.env),
});
const program = new Command('reel')
  .description('Reel keeps the audit trail of all modules of a platform.')
  .version(version)
  .showSuggestionAfterError()
  .exitOverride();
for (const add of COMMANDS) add(program, frame);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = failed(error);
}
