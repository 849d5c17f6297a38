/**
 * The rule by which statements may be sent to a Citus cluster: each table of tenants' rows has a condition of its own that its tenant is one
 * value, whatever is joined with what. Reads SQL no further than that takes.
 */

/** Tables in a statement without such a condition; `isOfTenants` says which ones need it. */
export function tablesWithoutTenant(statement: string, isOfTenants: (table: string) => boolean): string[] {
  return unbound(parse(tokensOf(statement)), isOfTenants).map(({ table }) => table);
}

/** A token, or what stands in parentheses. */
type Part = string | Part[];

const TOKEN =
  /\s+|--[^\n]*|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\d+|::|[<>=!@~|&?#*/+-]+|[a-z_][a-z0-9_$]*|\d+(?:\.\d+)?|[(),.;[\]:]|./giy;

function tokensOf(sql: string): string[] {
  return [...sql.matchAll(TOKEN)]
    .map(([text]) => text)
    .filter((text) => text.trim() !== '' && !text.startsWith('--'))
    .map((text) => (/^['"]/.test(text) ? text : text.toLowerCase()));
}

function parse(tokens: readonly string[]): Part[] {
  const stack: Part[][] = [[]];
  for (const token of tokens)
    if (token === '(') {
      const inner: Part[] = [];
      stack.at(-1)!.push(inner);
      stack.push(inner);
    } else if (token === ')') stack.pop();
    else stack.at(-1)!.push(token);
  return stack[0]!;
}

interface Unbound {
  table: string;
}

interface Source {
  /** By which conditions name it. */
  alias: string;
  /** A table of tenants' rows, or those of a sub-select that is without a condition. */
  unbound: Unbound[];
}

/** What ends a source's name: anything but one of these may be its alias. */
const NO_ALIAS = new Set(
  'where on join left right full inner cross lateral using set order group limit offset for returning union values select with as natural outer having window fetch except intersect and or default do'.split(
    ' ',
  ),
);

function unbound(parts: readonly Part[], isOfTenants: (table: string) => boolean): Unbound[] {
  return branches(parts).flatMap((branch) => unboundIn(branch, isOfTenants));
}

/** The statements that a UNION or the like joins. */
function branches(parts: readonly Part[]): Part[][] {
  const all: Part[][] = [[]];
  for (const part of parts)
    if (part === 'union' || part === 'except' || part === 'intersect' || part === ';') all.push([]);
    else all.at(-1)!.push(part);
  return all;
}

const isSelect = (part: readonly Part[]): boolean =>
  part.some((each) => /^(select|insert|update|delete|with|values)$/.test(String(each))) ||
  (part.length === 1 && Array.isArray(part[0]) && isSelect(part[0]));

function unboundIn(parts: readonly Part[], isOfTenants: (table: string) => boolean): Unbound[] {
  const sources: Source[] = [];
  const found: Unbound[] = [];
  let [isInFrom, expects] = [false, false];
  for (let at = 0; at < parts.length; at += 1) {
    const part = parts[at]!;
    if (typeof part === 'string') {
      if (/^(from|join|using|update)$/.test(part) && !isConflictUpdate(parts, at))
        [isInFrom, expects] = [true, true];
      else if (/^(where|set|group|order|returning|limit|select|values)$/.test(part))
        [isInFrom, expects] = [false, false];
      else if (part === ',' && isInFrom) expects = true;
      else if (expects && !/^(only|lateral|left|right|inner|cross|full|outer)$/.test(part)) {
        const table = parts[at + 1] === '.' ? String(parts[at + 2]) : part;
        expects = false;
        const isCall = Array.isArray(parts[at + 1]);
        if (!isCall && isOfTenants(table))
          sources.push({ alias: aliasAt(parts, at + 1) ?? table, unbound: [{ table }] });
      }
      continue;
    }
    if (!isSelect(part)) {
      // Conditions and arguments in parentheses, in which sub-selects may stand; or the joined tables.
      if (expects && part.some((each) => each === 'join'))
        found.push(...unbound(['from', ...part], isOfTenants));
      else found.push(...subSelectsOf(part, isOfTenants));
      expects = false;
      continue;
    }
    const inner = unbound(part, isOfTenants);
    const alias = expects ? aliasAt(parts, at + 1) : undefined;
    if (inner.length > 0 && alias !== undefined) sources.push({ alias, unbound: inner });
    else found.push(...inner);
    expects = false;
  }
  const flat = flatten(parts);
  for (const source of sources)
    if (!isBound(flat, source.alias, sources.length === 1)) found.push(...source.unbound);
  return found;
}

const isConflictUpdate = (parts: readonly Part[], at: number) =>
  parts[at] === 'update' && (parts[at - 1] === 'do' || parts[at - 1] === 'for');

const subSelectsOf = (parts: readonly Part[], isOfTenants: (table: string) => boolean): Unbound[] =>
  parts.flatMap((part) => {
    if (typeof part === 'string') return [];
    return isSelect(part) ? unbound(part, isOfTenants) : subSelectsOf(part, isOfTenants);
  });

function aliasAt(parts: readonly Part[], at: number): string | undefined {
  const next = parts[at] === 'as' ? parts[at + 1] : parts[at];
  return typeof next === 'string' && /^[a-z_]/.test(next) && !NO_ALIAS.has(next) ? next : undefined;
}

/** The text of a level, without its sub-selects. */
const flatten = (parts: readonly Part[]): string =>
  parts
    .map((part) => (typeof part === 'string' ? part : isSelect(part) ? '()' : `( ${flatten(part)} )`))
    .join(' ');

function isBound(text: string, alias: string, isOnly: boolean): boolean {
  const value = String.raw`(\$\d+|'[0-9a-f-]{36}')`;
  const name = isOnly ? `(${alias} \\. )?` : `${alias} \\. `;
  return new RegExp(`(?<!\\. )\\b${name}tenant_id = ${value}`).test(text);
}
