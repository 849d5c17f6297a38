/** The public face of Reel for modules that embed it. */
import 'reflect-metadata';

export { type ActionRegistry, REEL_ACTIONS, type ReelAction, registerReelActions } from './auth/actions.js';
export { router } from './compose.js';
export { type Config, readConfig } from './config/config.js';
export { ReelSchemaGenerator } from './database/schema-generator.js';
export { ReelError } from './errors.js';
export { getLogReader, getReelService } from './log/embed.js';
export { LogEntry } from './log/entry/log-entry.entity.js';
export { LogOrigin } from './log/entry/origin.js';
export { LogSeverity } from './log/entry/severity.js';
export { migrate } from './log/migrate.js';
export { type LogInput, ReelService } from './log/service.js';
export type { Stored, WriteResult } from './log/write/writer.js';
export { createReelServer, type ReelServer } from './server.js';
export { addOcsfRules, type OcsfClass, type OcsfRule } from './stream/formats/ocsf.js';
