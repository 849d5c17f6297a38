import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

type Scope = Record<string, unknown>;

/**
 * The manifests of a chart, rendered here, where no helm is to be had: by that part of Go's templates which the chart uses.
 * Errors: Error for anything else.
 */
export function renderChart(chart: string, release: string, values: Scope): unknown[] {
  const scope = { Values: values, Release: { Name: release } };
  return globSync('templates/*.yaml', { cwd: chart })
    .sort()
    .flatMap((file) => {
      const text = renderText(readFileSync(join(chart, file), 'utf8'), scope);
      return parseAllDocuments(text).flatMap((document) => {
        if ('errors' in document && document.errors.length > 0)
          throw new Error(`${file}: ${document.errors[0]!.message}\n${text}`);
        const manifest: unknown = document.toJS();
        return manifest === null ? [] : [manifest];
      });
    });
}

const BLOCK = /\{\{-? *(if|range)([^}]*?) *-?\}\}/;

/** Blocks are not nested in the chart. */
function renderText(text: string, scope: Scope): string {
  const trimmed = text.replaceAll(/\s*\{\{- /g, '{{ ');
  const [whole, word, head = ''] = BLOCK.exec(trimmed) ?? [];
  if (whole === undefined)
    return trimmed.replaceAll(/\{\{ *([^}]+?) *\}\}/g, (_, action: string) => print(action, scope));
  const start = trimmed.indexOf(whole);
  const end = trimmed.indexOf('{{ end }}', start);
  if (end < 0) throw new Error(`expected an end of ${whole}`);
  const inner = trimmed.slice(start + whole.length, end);
  const rest = renderText(trimmed.slice(end + '{{ end }}'.length), scope);
  return renderText(trimmed.slice(0, start), scope) + block(word!, head.trim(), inner, scope) + rest;
}

function block(word: string, head: string, inner: string, scope: Scope): string {
  if (word === 'if') {
    const [, path = '', bound = ''] = /^gt \(int (\S+)\) (\d+)$/.exec(head) ?? fail(head);
    return Number(look(path, scope)) > Number(bound) ? renderText(inner, scope) : '';
  }
  const [, name = '', value = '', path = ''] = /^\$(\w+), \$(\w+) := (\S+)$/.exec(head) ?? fail(head);
  return Object.entries(look(path, scope) as Scope)
    .map(([key, each]) => renderText(inner, { ...scope, [`$${name}`]: key, [`$${value}`]: each }))
    .join('');
}

function print(action: string, scope: Scope): string {
  const [path = '', filter] = action.split(' | ');
  const value = look(path, scope);
  if (filter === 'quote' || filter === 'toJson') return JSON.stringify(value);
  if (filter !== undefined || typeof value === 'object') return fail(action);
  return String(value);
}

function look(path: string, scope: Scope): unknown {
  if (path.startsWith('$')) return scope[path] ?? fail(path);
  let value: unknown = scope;
  for (const step of path.replace(/^\./, '').split('.')) value = (value as Scope | undefined)?.[step];
  return value ?? fail(path);
}

function fail(what: string): never {
  throw new Error(`expected what this renders, got ${what}`);
}
