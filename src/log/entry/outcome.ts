/** How an action ended, where the module says. */
export enum LogOutcome {
  SUCCESS = 'SUCCESS',
  FAILURE = 'FAILURE',
  DENIED = 'DENIED',
}

/** Stored as the index in this list. */
export const OUTCOMES = Object.values(LogOutcome);
