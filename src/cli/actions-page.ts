import type { ListedAction } from './actions.js';

/** Documentation of registered actions, as Markdown: what an analyst may find in the trail, by module. */
export function actionsPage(actions: readonly ListedAction[]): string {
  const parts = [...Map.groupBy(actions, ({ module }) => module)].map(
    ([module, own]) => `## ${text(module)}\n\n${own.map(actionPart).join('\n')}`,
  );
  return `# Actions\n\n${parts.length > 0 ? parts.join('\n') : 'None is registered.\n'}`;
}

function actionPart(action: ListedAction): string {
  const { version, description, severity, resourceType, schema, redact } = action;
  const facts = [
    `version ${version}`,
    severity && `severity ${severity}`,
    resourceType && `resource ${code(resourceType)}`,
  ].filter(Boolean);
  const fields = schema ? fieldsOf(schema) : [];
  return [
    `### ${code(action.action)}\n`,
    ...(description ? [`${text(description)}.\n`.replace(/([.!?])\.\n$/, '$1\n')] : []),
    `${capital(facts.join(', '))}.\n`,
    ...(fields.length > 0 ? ['| Data | Type | |', '|---|---|---|', ...fields.map(rowOf), ''] : []),
    ...(redact.length > 0
      ? [`Redacted: ${redact.map(({ path, how }) => `${code(path)} (${how.toLowerCase()})`).join(', ')}.\n`]
      : []),
  ].join('\n');
}

interface DataField {
  path: string;
  type: string;
  isRequired: boolean;
  description: string;
}

type Schema = Record<string, unknown>;

const MAX_LEVELS = 8;
const MAX_FIELDS = 200;

/** The values that a schema names, with those within objects and lists. */
function fieldsOf(root: Schema): DataField[] {
  const found: DataField[] = [];
  const addMembers = (schema: Schema, path: string, level: number): void => {
    const required = Array.isArray(schema.required) ? schema.required : [];
    for (const [name, value] of Object.entries(objectOf(schema.properties) ?? {}))
      add(value, path === '' ? name : `${path}.${name}`, required.includes(name), level + 1);
  };
  const add = (given: unknown, path: string, isRequired: boolean, level: number): void => {
    const schema = followed(root, given);
    if (!schema || level > MAX_LEVELS || found.length >= MAX_FIELDS) return;
    const description = typeof schema.description === 'string' ? schema.description : '';
    found.push({ path, type: typeOf(root, schema), isRequired, description });
    addMembers(schema, path, level);
    const items = followed(root, schema.items);
    if (items) addMembers(items, `${path}[*]`, level);
  };
  addMembers(root, '', 0);
  return found;
}

function typeOf(root: Schema, schema: Schema, level = 0): string {
  if (level > MAX_LEVELS) return 'any';
  if ('const' in schema) return JSON.stringify(schema.const);
  if (Array.isArray(schema.enum)) return schema.enum.map((each) => JSON.stringify(each)).join(' or ');
  for (const keyword of ['anyOf', 'oneOf']) {
    const some = schema[keyword];
    if (Array.isArray(some))
      return [...new Set(some.map((each) => typeOf(root, followed(root, each) ?? {}, level + 1)))].join(
        ' or ',
      );
  }
  const { type, format } = schema;
  if (type === 'array') {
    const items = followed(root, schema.items);
    return items ? `list of ${typeOf(root, items, level + 1)}` : 'list';
  }
  const name = Array.isArray(type) ? type.join(' or ') : typeof type === 'string' ? type : 'any';
  return typeof format === 'string' ? `${name} (${format})` : name;
}

/** A schema, or the one within the root that it refers to. */
function followed(root: Schema, given: unknown): Schema | null {
  const schema = objectOf(given);
  const reference = schema?.$ref;
  if (typeof reference !== 'string' || !/^#(?:\/|$)/.test(reference)) return schema;
  let at: unknown = root;
  for (const step of reference.split('/').slice(1))
    at = objectOf(at)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')];
  return objectOf(at);
}

const objectOf = (value: unknown): Schema | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : null;

const rowOf = ({ path, type, isRequired, description }: DataField): string =>
  `| ${code(path)} | ${cell(type)} | ${[isRequired ? '' : 'optional', cell(description)].filter(Boolean).join('; ')} |`;

const capital = (line: string): string => line.slice(0, 1).toUpperCase() + line.slice(1);

/** Text from a module stays text: nothing in it becomes markup. */
const text = (from: string): string =>
  from.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>#|~&]/g, (character) => `\\${character}`);
const cell = (from: string): string => text(from);
/** In as many backticks as it needs. */
function code(from: string): string {
  const line = from.replace(/\s+/g, ' ').replaceAll('|', '\\|');
  const fence = '`'.repeat(Math.max(0, ...[...line.matchAll(/`+/g)].map(([ticks]) => ticks.length)) + 1);
  const gap = /^`|`$/.test(line) ? ' ' : '';
  return `${fence}${gap}${line}${gap}${fence}`;
}
