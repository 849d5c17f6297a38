import type { ParsedLine } from './parse.js';
import { FIELDS, type FieldName, isBareItem, isBareText, quote } from './terms.js';
import { printTime, type TimeField } from './time.js';

/** The canonical form: fields in the order of FIELDS, texts last, quotes only where needed. Parsing it gives the same filter. */
export function printQueryLine({ filter, relative }: ParsedLine): string {
  const { resourceType, resourceId } = filter;
  const time = (field: TimeField) => relative[field] ?? (filter[field] && printTime(field, filter[field]));
  const values: Record<FieldName, readonly (string | null)[]> = {
    module: filter.modules,
    action: filter.actions,
    severity: filter.severities,
    origin: [filter.origin?.toLowerCase() ?? null],
    actor: [filter.actorEmail, ...filter.actorIds],
    resource: [resourceType && (resourceId === null ? resourceType : `${resourceType}/${resourceId}`)],
    client: [filter.clientId],
    request: [filter.requestId],
    ip: [filter.ipAddress],
    since: [time('since')],
    until: [time('until')],
  };
  const terms = FIELDS.flatMap((field) => {
    if (field === 'severity')
      return [printTerm('severity:', values.severity), printTerm('severity>=', [filter.minSeverity])];
    if (field === 'module')
      return [printTerm('module:', values.module), printTerm('-module:', filter.notModules)];
    if (field === 'action')
      return [printTerm('action:', values.action), printTerm('-action:', filter.notActions)];
    return [printTerm(`${field}:`, values[field])];
  });
  const texts = filter.searches.map((text) => (isBareText(text) ? text : quote(text)));
  return [...terms.filter((term) => term !== ''), ...texts].join(' ');
}

function printTerm(head: string, values: readonly (string | null)[]): string {
  const items = values
    .filter((value) => value !== null)
    .map((item) => (isBareItem(item) ? item : quote(item)));
  return items.length === 0 ? '' : head + items.join(',');
}
