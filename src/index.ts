/** The public face of Reel for modules that embed it. */
import 'reflect-metadata';

export { type ActionRegistry, REEL_ACTIONS, type ReelAction, registerReelActions } from './auth/actions.js';
export type { Scope } from './auth/scope.js';
export { type Config, readConfig } from './config/config.js';
export { ReelSchemaGenerator } from './database/schema-generator.js';
export { isReelError, ReelError } from './errors.js';
export { createReelHandler, type HandlerOptions, type ReelHandler } from './handler.js';
export { type EmbedOptions, getLogReader, getReelService } from './log/embed.js';
export { LogEntry } from './log/entry/log-entry.entity.js';
export { LogOrigin } from './log/entry/origin.js';
export { LogOutcome } from './log/entry/outcome.js';
export { LogSeverity } from './log/entry/severity.js';
export type { LogFilter } from './log/filter/log-filter.js';
export type { HostLogReader, HostPage } from './log/host-reader.js';
export { migrate } from './log/migrate.js';
export { LogOrder, type PageRequest } from './log/read/page.js';
export { type LogInput, ReelService } from './log/service.js';
export type { Stored, WriteResult } from './log/write/writer.js';
export type { Paths } from './paths.js';
export { type RouterOptions, router } from './router.js';
export { createReelServer, type ReelServer } from './server.js';
export { addOcsfRules, type OcsfClass, type OcsfRule } from './stream/formats/ocsf.js';
