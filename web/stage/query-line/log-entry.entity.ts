/** What src/log/log-entry.entity.ts names so, for the query line's files beside this one, which are src/log's as they stand. */
export type { LogOrigin, LogSeverity } from '../../reel/index.js';
