#!/usr/bin/env node
import { readConfig, readRemote } from '../config/config.js';
import { createContext, exitCodeOf } from './context.js';
import { createProgram } from './program.js';

const context = createContext({
  config: (reader: 'server' | 'command' = 'command') => readConfig(process.env, reader),
  remote: () => readRemote(process.env),
});
const program = await createProgram(context, process.argv[2]);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
