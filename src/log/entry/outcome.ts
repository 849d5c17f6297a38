/** How an action ended, where the module says. Plain text, so that a host may write 'DENIED' as well as LogOutcome.DENIED. */
export const LogOutcome = {
  SUCCESS: 'SUCCESS',
  FAILURE: 'FAILURE',
  DENIED: 'DENIED',
} as const;
export type LogOutcome = (typeof LogOutcome)[keyof typeof LogOutcome];

/** Stored as the index in this list, as severities are. */
export const OUTCOMES = Object.values(LogOutcome);
