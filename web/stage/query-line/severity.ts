/** What src/log/severity.ts names so, for the query line's files beside this one, which are src/log's as they stand. */
export type { LogSeverity } from '../../reel/index.js';
