import { readConfig } from '../config/config.js';
import { PATHS } from '../paths.js';
import { openApi } from '../rest/openapi.js';

/** openapi.json, as a server with default settings answers it. */
export function openApiPage(): string {
  const { maxPageSize } = readConfig({}, 'command');
  return `${JSON.stringify(openApi({ prefix: PATHS.rest, maxPageSize }), null, 2)}\n`;
}
