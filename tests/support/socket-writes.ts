/** Finds where a stream is written to whose errors nobody hears: Node ends the process for such an error. */
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '..', '..');

/** Methods by which bytes go out, or an end. */
const WRITES = new Set(['write', 'end', 'destroySoon']);
/** The process's own streams, whose errors its end is about. */
const OWN = /^process\.(stdout|stderr)$/;
/** Events that hand a bare socket over. */
const HANDOVERS = new Set(['upgrade', 'connection', 'secureConnection', 'connect', 'clientError']);

/** Packages whose types lead to streams; Node's own are known without. */
const PACKAGES = /^(\.|node:|fastify$|ws$)/;

/** Of the server's files that may hold a stream, and of these names with these texts beside them, as a test gives them. */
export function violations(given: Readonly<Record<string, string>> = {}): string[] {
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) =>
    /\.(write|end|destroySoon|on)\(/.test(readFileSync(join(root, file), 'utf8')),
  );
  files.push(...Object.keys(given));
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ESNext,
    types: ['node'],
    skipLibCheck: true,
    experimentalDecorators: true,
    noEmit: true,
    strict: true,
  };
  const host = ts.createCompilerHost(options);
  const read = host.readFile.bind(host);
  const exists = host.fileExists.bind(host);
  const paths = new Map(files.map((file) => [join(root, file), given[file]]));
  host.readFile = (path) => paths.get(path) ?? read(path);
  host.fileExists = (path) => paths.get(path) !== undefined || exists(path);
  const cache = ts.createModuleResolutionCache(root, (name) => name, options);
  host.resolveModuleNameLiterals = (literals, file, redirected, _options, source) =>
    literals.map((literal) => {
      if (!PACKAGES.test(literal.text)) return { resolvedModule: undefined };
      const mode = ts.getModeForUsageLocation(source, literal, options);
      return ts.resolveModuleName(literal.text, file, options, host, cache, redirected, mode);
    });
  const program = ts.createProgram([...paths.keys()], options, host);
  const types = program.getTypeChecker();

  return [...paths.keys()].flatMap((path) => {
    const source = program.getSourceFile(path)!;
    const found: string[] = [];
    const complain = (node: ts.Node, what: string) => {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      found.push(`${path.slice(root.length + 1)}:${line + 1} ${what}`);
    };
    const visit = (node: ts.Node): void => {
      ts.forEachChild(node, visit);
      if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
      const { expression: receiver, name } = node.expression;
      const text = receiver.getText(source);
      if (WRITES.has(name.text) && !OWN.test(text) && isWritable(types.getTypeAtLocation(receiver))) {
        if (!heard(node, text, source)) complain(node, `${text}.${name.text}(): nobody hears its errors`);
      }
      const [event] = node.arguments;
      if (name.text === 'on' && event && ts.isStringLiteral(event) && HANDOVERS.has(event.text))
        if (!source.text.includes('careForSocket'))
          complain(node, `${text}.on('${event.text}'): expected careForSocket in this file`);
    };
    visit(source);
    return found;
  });
}

const isWritable = (type: ts.Type): boolean => type.getProperty('writableNeedDrain') !== undefined;

/** Whether an error listener is added to it, or it is taken care of, earlier in the functions around. */
function heard(call: ts.Node, receiver: string, source: ts.SourceFile): boolean {
  for (let around = call.parent; around; around = around.parent) {
    if (!ts.isFunctionLike(around)) continue;
    const before = source.text.slice(around.getStart(source), call.getStart(source));
    if (before.includes(`${receiver}.on('error'`) || before.includes(`careForSocket(${receiver})`))
      return true;
  }
  return false;
}
