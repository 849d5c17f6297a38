import { type ParsedLine, type ParsedQuery, parseQueryLine } from '../../src/query-line/parse.js';
import { printQueryLine } from '../../src/query-line/print.js';
import { SEVERITIES } from '../../src/query-line/values.js';
import type { LogSeverity } from '../reel/index.js';

export type FilterField =
  | 'module'
  | 'action'
  | 'severity'
  | 'origin'
  | 'actor'
  | 'resource'
  | 'client'
  | 'request'
  | 'ip'
  | 'since'
  | 'until';

/** Fields of which a value can be left out. */
export const EXCLUDABLE: readonly FilterField[] = ['module', 'action', 'severity'];

/** The canonical form. Throws QueryLineError. */
export const canonical = (line: string) => printQueryLine(parseQueryLine(line, new Date()));

/** The severities a line lets through; all where it says nothing of them. */
export function severitiesOf({ severities, minSeverity }: ParsedQuery): LogSeverity[] {
  if (severities.length > 0) return severities;
  return minSeverity ? SEVERITIES.slice(SEVERITIES.indexOf(minSeverity)) : [...SEVERITIES];
}

const without = (list: string[], value: string) => list.filter((each) => each !== value);

function change(line: string, edit: (query: ParsedQuery, parsed: ParsedLine) => void): string {
  const parsed = parseQueryLine(line, new Date());
  edit(parsed.filter, parsed);
  return printQueryLine(parsed);
}

/** Lets this value through too, beside the others that the line names; a value that it named is let go of. */
export const toggled = (line: string, field: FilterField, value: string) =>
  change(line, (query) => {
    const named = namedIn(query, field).includes(value);
    const others = without(namedIn(query, field), value);
    set(query, field, named ? others : [...others, value]);
  });

/** Lets only this value of the field through. */
export const narrowed = (line: string, field: FilterField, value: string) =>
  change(line, (query, parsed) => {
    if (field === 'since' || field === 'until') delete parsed.relative[field];
    set(query, field, [value]);
  });

/** Lets everything but this value through; or lets it through again where it was left out. */
export const excluded = (line: string, field: FilterField, value: string) =>
  change(line, (query) => {
    if (field === 'severity') {
      const now = severitiesOf(query);
      const left = now.includes(value as LogSeverity) ? without(now, value) : [...now, value];
      if (left.length > 0) set(query, field, left.length === SEVERITIES.length ? [] : left);
      return;
    }
    const key = field === 'module' ? 'notModules' : 'notActions';
    const again = query[key].includes(value);
    set(query, field, without(namedIn(query, field), value));
    query[key] = again ? without(query[key], value) : [...without(query[key], value), value];
  });

/** The values of a field that the line names. */
export function namedIn(query: ParsedQuery, field: FilterField): string[] {
  if (field === 'module') return query.modules;
  if (field === 'action') return query.actions;
  if (field === 'severity')
    return query.severities.length > 0 || query.minSeverity ? severitiesOf(query) : [];
  if (field === 'actor') return query.actorIds;
  return [];
}

/** The values of a field that the line leaves out. */
export function excludedIn(query: ParsedQuery, field: FilterField): string[] {
  if (field === 'module') return query.notModules;
  if (field === 'action') return query.notActions;
  return [];
}

function set(query: ParsedQuery, field: FilterField, values: string[]): void {
  const [first = null] = values;
  const [type = null, ...id] = first?.split('/') ?? [];
  const changes: Record<FilterField, Partial<ParsedQuery>> = {
    module: { modules: values, notModules: query.notModules.filter((each) => !values.includes(each)) },
    action: { actions: values, notActions: query.notActions.filter((each) => !values.includes(each)) },
    severity: { severities: SEVERITIES.filter((each) => values.includes(each)), minSeverity: null },
    origin: { origin: first as ParsedQuery['origin'] },
    actor: first?.includes('@')
      ? { actorEmail: first.toLowerCase(), actorIds: [] }
      : { actorIds: values, actorEmail: null },
    resource: { resourceType: type, resourceId: id.length > 0 ? id.join('/') : null },
    client: { clientId: first },
    request: { requestId: first },
    ip: { ipAddress: first },
    since: { since: first },
    until: { until: first },
  };
  Object.assign(query, changes[field]);
}
