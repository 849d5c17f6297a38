import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

interface Instruction {
  name: string;
  text: string;
}
export interface Stage {
  base: string;
  name: string;
  instructions: Instruction[];
}

/** The stages of a Dockerfile, with one instruction a line. */
export function readStages(path: string): Stage[] {
  const lines = readFileSync(path, 'utf8')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n');
  const stages: Stage[] = [];
  for (const line of lines) {
    const [, name, text = ''] = /^([A-Z]+) (.+)$/.exec(line.trim()) ?? [];
    if (name === 'FROM') {
      const [base = '', , as = ''] = text.split(' ');
      stages.push({ base, name: as, instructions: [] });
    } else if (name !== undefined) stages.at(-1)!.instructions.push({ name, text });
    else if (line.trim() !== '') throw new Error(`expected an instruction, got ${line}`);
  }
  return stages;
}

/** What the last of several instructions of that name says. */
export const lastOf = ({ instructions }: Stage, name: string): string | undefined =>
  instructions.findLast((each) => each.name === name)?.text;

/**
 * Runs the steps of a Dockerfile in folders of their own, one a stage, as a builder would in images: what each COPY takes is
 * what the ignore file leaves of `context`, and each RUN is run by a shell in the stage's folder. `instead`: a command to run
 * in place of one of them.
 */
export class BuiltImage {
  private readonly home = mkdtempSync(join(tmpdir(), 'reel-image-'));
  private readonly folders = new Map<string, string>();

  private constructor(private readonly context: string) {}

  static async build(
    dockerfile: string,
    context: string,
    instead: (command: string, folder: string) => string,
    env: NodeJS.ProcessEnv,
  ): Promise<BuiltImage> {
    const image = new BuiltImage(context);
    const ignored = ignoredBy(readFileSync(`${dockerfile}.dockerignore`, 'utf8'));
    for (const [index, stage] of readStages(dockerfile).entries()) {
      const folder = join(image.home, stage.name || String(index));
      mkdirSync(folder, { recursive: true });
      image.folders.set(stage.name, folder);
      for (const { name, text } of stage.instructions) {
        if (name === 'COPY') image.copy(text, folder, ignored);
        if (name === 'RUN')
          await run('sh', ['-euc', instead(text, folder)], { cwd: folder, env, maxBuffer: 1e8 });
      }
    }
    return image;
  }

  /** The folder of the last stage. */
  get folder(): string {
    return this.folders.get('')!;
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }

  private copy(text: string, folder: string, ignored: (path: string) => boolean): void {
    const words = text.split(/\s+/);
    const [, from] = /^--from=(\w+)$/.exec(words[0]!) ?? [];
    const paths = from === undefined ? words : words.slice(1);
    const to = paths.pop()!;
    for (const path of paths) {
      const source =
        from === undefined
          ? join(this.context, path)
          : join(this.folders.get(from)!, relative(`/${from}`, path));
      if (!existsSync(source)) throw new Error(`expected ${path}, which COPY takes`);
      if (from === undefined && path !== '.' && ignored(path)) throw new Error(`${path} is ignored`);
      const target = to.endsWith('/') && path !== '.' ? join(folder, to, basename(path)) : join(folder, to);
      mkdirSync(dirname(target), { recursive: true });
      // No stage is taken from twice, so what one leaves to the next is moved: copying its packages takes longer than all else.
      if (from !== undefined) renameSync(source, target);
      else if (path !== '.') cpSync(source, target, { recursive: true, verbatimSymlinks: true });
      else
        for (const each of globSync('{*,.*}', { cwd: source }))
          if (!ignored(each)) cpSync(join(source, each), join(target, each), { recursive: true });
    }
  }
}

/** Of a file that ignores everything but what it names, at the top. */
function ignoredBy(text: string): (path: string) => boolean {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const [first, ...kept] = lines;
  if (first !== '*' || kept.some((line) => !/^![\w.-]+$/.test(line)))
    throw new Error('expected a * and then names with a !');
  return (path) => !kept.includes(`!${path.split('/')[0]}`);
}
