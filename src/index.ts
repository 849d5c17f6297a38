/** The public face of Reel for modules that embed it. */
import 'reflect-metadata';

export { type ActionRegistry, REEL_ACTIONS, type ReelAction, registerReelActions } from './auth/actions.js';
export { type Config, readConfig } from './config.js';
export { migrate } from './database/migrate.js';
export { ReelSchemaGenerator } from './database/schema-generator.js';
export { ReelError } from './errors.js';
export { getReelService } from './log/embed.js';
export { LogEntry } from './log/log-entry.entity.js';
export { LogOrigin } from './log/origin.js';
export { type LogInput, ReelService } from './log/reel.service.js';
export { LogSeverity } from './log/severity.js';
export { createReelServer, type ReelServer, router } from './server.js';
