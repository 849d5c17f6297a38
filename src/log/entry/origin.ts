/** Who reported an entry. */
export enum LogOrigin {
  MODULE = 'MODULE',
  BROWSER = 'BROWSER',
}

/** Stored as the place in this list, as severities are. */
export const ORIGINS = Object.values(LogOrigin);
