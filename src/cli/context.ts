import { CommanderError } from 'commander';
import type { Config } from '../config/config.js';
import { oneLineFault, ReelError, StartError } from '../errors.js';

/** What every command is given. Its data goes to stdout, notes for people go to stderr. */
export interface CommandContext {
  /** The checked settings, as a command needs them, or as a server would. Errors: ConfigError. */
  config(reader?: 'server'): Config;
  /** REEL_URL and REEL_TOKEN. */
  remote(): { url: string | null; token: string | null };
  /** The command's data: `text`, or with `--json` the value as one line of JSON. */
  print(options: { json?: boolean }, value: unknown, text: string): void;
  /** From now on a reader that closes stdout early, or a disk that is full, fails the write instead of ending the command. */
  expectWholeOutput(): void;
  note(line: string): void;
  /** Replaces the previous progress line where stderr is a terminal; an empty line removes it. */
  progress(line: string): void;
}

/** The command did its work and found a problem: exit code 1. */
export class Problem extends Error {
  override readonly name = 'Problem';
}

/** For a command's help, and so for docs/commands.md: when it throws a Problem. */
export const exit1 = (when: string): string => `\nExit code 1: ${when}.`;

export function createContext(settings: Pick<CommandContext, 'config' | 'remote'>): CommandContext {
  let isWholeExpected = false;
  exitOnClosedPipe(process.stdout, () => isWholeExpected);
  return {
    ...settings,
    expectWholeOutput: () => {
      isWholeExpected = true;
    },
    print: ({ json = false }, value, text) => {
      const shown = json ? JSON.stringify(value) : text;
      if (shown !== '') process.stdout.write(`${shown}\n`);
    },
    note: (line) => void process.stderr.write(`${line}\n`),
    progress: (line) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${line}`);
    },
  };
}

/** The exit code for an error of a command; prints the error to stderr in one line unless commander has. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const [line] = error instanceof Problem ? [error.message] : [faultLine(error)];
  process.stderr.write(`reel: ${line}\n`);
  return error instanceof Problem ? 1 : 2;
}

const faultLine = (error: unknown): string =>
  error instanceof ReelError && !(error instanceof StartError)
    ? `${error.code}: ${error.message}`
    : oneLineFault(error);

/** The reader may close the pipe early, as `head` does; `isWholeExpected`: then the write that failed is told. */
function exitOnClosedPipe(stream: NodeJS.WriteStream, isWholeExpected: () => boolean): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (isWholeExpected()) return;
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`reel: stdout: expected it to be writable, got ${error.code ?? error.message}\n`);
    process.exit(2);
  });
}

/** While it is in use, an interrupt ends the command with 2; a database that was started for it stops first. */
export function exitOnInterrupt(): Disposable {
  const stop = () => void process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  const interrupt = () => {
    stop();
    process.stderr.write('reel: interrupted\n');
    if (process.listenerCount('SIGINT') === 0) process.exit(2);
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  return { [Symbol.dispose]: stop };
}

/** For commands that make up data. Errors: StartError in production. */
export function refuseProduction(config: Config, command: string): void {
  if (config.env === 'production')
    throw new StartError(`REEL_ENV: expected development for reel ${command}, got "production"`);
}
