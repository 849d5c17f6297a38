/** What src/log/origin.ts names so, for the query line's files beside this one, which are src/log's as they stand. */
export type { LogOrigin } from '../../reel/index.js';
