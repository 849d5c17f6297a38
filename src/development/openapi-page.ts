import { readConfig } from '../config/config.js';
import { openApi } from '../rest/openapi.js';
import { REST_PREFIX } from '../rest/routes.js';

/** openapi.json, as a server with default settings answers it. */
export function openApiPage(): string {
  const { maxPageSize } = readConfig({}, 'command');
  return `${JSON.stringify(openApi({ prefix: REST_PREFIX, maxPageSize }), null, 2)}\n`;
}
