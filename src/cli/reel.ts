#!/usr/bin/env node
import { readConfig, readRemote } from '../config/config.js';
import { failed, newFrame } from './frame.js';
import { createProgram } from './program.js';

const frame = newFrame({
  config: () => readConfig(process.env, 'command'),
  remote: () => readRemote(process.env),
});
const program = await createProgram(frame, process.argv[2]);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = failed(error);
}
