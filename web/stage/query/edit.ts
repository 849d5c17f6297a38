import { type ParsedLine, type ParsedQuery, parseQueryLine } from '../../../src/query-line/parse.js';
import { printQueryLine } from '../../../src/query-line/print.js';
import type { FieldName } from '../../../src/query-line/terms.js';
import { SEVERITIES, type Severity } from '../../../src/query-line/values.js';

/** Fields whose values can be excluded. */
export const EXCLUDABLE: readonly FieldName[] = ['module', 'action', 'severity'];

/** The line in its canonical form. Throws QueryLineError, as does every function here that takes a line. */
export const canonicalLine = (line: string) => printQueryLine(parseQueryLine(line, new Date()));

/** The severities that match; all of them where the line has no condition on severity. */
export function matchingSeverities({ severities, minSeverity }: ParsedQuery): Severity[] {
  if (severities.length > 0) return severities;
  return minSeverity ? SEVERITIES.slice(SEVERITIES.indexOf(minSeverity)) : [...SEVERITIES];
}

const without = <T>(list: T[], value: T) => list.filter((each) => each !== value);

function edit(line: string, change: (query: ParsedQuery, parsed: ParsedLine) => void): string {
  const parsed = parseQueryLine(line, new Date());
  change(parsed.filter, parsed);
  return printQueryLine(parsed);
}

/** Adds a value to those that the field may have, or removes it if it is one of them. */
export const toggleValue = (line: string, field: FieldName, value: string) =>
  edit(line, (query) => {
    const values = includedValues(query, field);
    const others = without(values, value);
    setValues(query, field, values.includes(value) ? others : [...others, value]);
  });

/** Makes this the only value that the field may have. */
export const setValue = (line: string, field: FieldName, value: string) =>
  edit(line, (query, parsed) => {
    if (field === 'since' || field === 'until') delete parsed.relative[field];
    setValues(query, field, [value]);
  });

/** Excludes a value of an EXCLUDABLE field, or stops excluding it if it is excluded. */
export const toggleExcluded = (line: string, field: FieldName, value: string) =>
  edit(line, (query) => {
    if (field === 'severity') {
      const severity = value as Severity;
      const current = matchingSeverities(query);
      const rest = current.includes(severity) ? without(current, severity) : [...current, severity];
      if (rest.length > 0) setValues(query, field, rest.length === SEVERITIES.length ? [] : rest);
      return;
    }
    const key = field === 'module' ? 'notModules' : 'notActions';
    const isExcluded = query[key].includes(value);
    setValues(query, field, without(includedValues(query, field), value));
    query[key] = isExcluded ? without(query[key], value) : [...without(query[key], value), value];
  });

/** The values that the line limits the field to. */
export function includedValues(query: ParsedQuery, field: FieldName): string[] {
  if (field === 'module') return query.modules;
  if (field === 'action') return query.actions;
  if (field === 'severity')
    return query.severities.length > 0 || query.minSeverity ? matchingSeverities(query) : [];
  if (field === 'actor') return query.actorIds;
  return [];
}

/** Whether the line has a condition for this id: ids may be any text, and some would be read as something else. */
export function hasCondition(field: 'actor' | 'request', id: string): boolean {
  try {
    const { filter } = parseQueryLine(setValue('', field, id), new Date());
    return field === 'actor' ? filter.actorIds.includes(id) : filter.requestId === id;
  } catch {
    return false;
  }
}

/** The values that the line excludes by name. */
export function excludedValues(query: ParsedQuery, field: FieldName): string[] {
  if (field === 'module') return query.notModules;
  if (field === 'action') return query.notActions;
  return [];
}

function setValues(query: ParsedQuery, field: FieldName, values: string[]): void {
  const [first = null] = values;
  const [type = null, ...id] = first?.split('/') ?? [];
  const changes: Record<FieldName, Partial<ParsedQuery>> = {
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
