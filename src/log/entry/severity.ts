/** How grave an entry is, from mild to grave. Plain text, so that a host may write 'CRITICAL' as well as LogSeverity.CRITICAL. */
export const LogSeverity = {
  DEBUG: 'DEBUG',
  INFO: 'INFO',
  WARNING: 'WARNING',
  ERROR: 'ERROR',
  CRITICAL: 'CRITICAL',
} as const;
export type LogSeverity = (typeof LogSeverity)[keyof typeof LogSeverity];

/** Stored as the index in this list: only a plain integer's comparison passes row-level security into an index. */
export const SEVERITIES = Object.values(LogSeverity);
