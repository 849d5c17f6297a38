/** Who reported an entry. Plain text, so that a host may write 'BROWSER' as well as LogOrigin.BROWSER. */
export const LogOrigin = {
  MODULE: 'MODULE',
  BROWSER: 'BROWSER',
} as const;
export type LogOrigin = (typeof LogOrigin)[keyof typeof LogOrigin];

/** Stored as the index in this list, as severities are. */
export const ORIGINS = Object.values(LogOrigin);
