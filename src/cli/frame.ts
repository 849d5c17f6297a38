import { CommanderError } from 'commander';
import type { Config } from '../config/config.js';
import { oneLineFault, ReelError, StartError } from '../errors.js';

/** What every command works with. Data goes to stdout, words for people to stderr. */
export interface Frame {
  /** The checked settings. Errors: ConfigError. */
  config(): Config;
  /** REEL_URL and REEL_TOKEN. */
  remote(): { url: string | null; token: string | null };
  /** The command's data: `text`, or with `--json` the value as one line of JSON. */
  answer(options: { json?: boolean }, value: unknown, text: string): void;
  say(line: string): void;
  /** A line that replaces the one before it, where stderr is a terminal; an empty one takes it away. */
  progress(line: string): void;
}

/** Done, and something is wrong: exit code 1. */
export class Finding extends Error {
  override readonly name = 'Finding';
}

/** Says in a command's help, and from there in docs/commands.md, when it throws a Finding. */
export const exit1 = (when: string): string => `\nExit code 1: ${when}.`;

export function newFrame(settings: Pick<Frame, 'config' | 'remote'>): Frame {
  endQuietlyWithItsReader(process.stdout);
  return {
    ...settings,
    answer: ({ json = false }, value, text) => {
      const shown = json ? JSON.stringify(value) : text;
      if (shown !== '') process.stdout.write(`${shown}\n`);
    },
    say: (line) => void process.stderr.write(`${line}\n`),
    progress: (line) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${line}`);
    },
  };
}

/** The exit code of what a command threw, said on stderr in one line where commander has not said it. */
export function failed(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const [line] = error instanceof Finding ? [error.message] : [faultLine(error)];
  process.stderr.write(`reel: ${line}\n`);
  return error instanceof Finding ? 1 : 2;
}

const faultLine = (error: unknown): string =>
  error instanceof ReelError && !(error instanceof StartError)
    ? `${error.code}: ${error.message}`
    : oneLineFault(error);

/** Whoever reads may have enough, as `head` does. */
function endQuietlyWithItsReader(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

/** For the commands that make things up. Errors: StartError in production. */
export function refuseProduction(config: Config, command: string): void {
  if (config.env === 'production')
    throw new StartError(`REEL_ENV: expected development for reel ${command}, got "production"`);
}
