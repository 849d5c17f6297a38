/** The entry point `reel/client`: what a module records its actions with. It has no dependencies. */
export {
  type Action,
  type ActionMap,
  type Actions,
  type DataOf,
  type DataSchema,
  defineActions,
  type OnFull,
  type Severity,
} from './actions.js';
export {
  createReelClient,
  type EntryOf,
  type Reel,
  type ReelClientOptions,
  type ReelStats,
} from './client.js';
export { runInContext } from './context.js';
export type { Actor, EntryFields, RequestContext } from './entry.js';
export { ReelLogError, type ReelLogErrorCode } from './error.js';
export type { How, Pattern, Redact } from './redact.js';
export type { Rejection } from './rejected.js';
export type { Fsync, Stored } from './store.js';
