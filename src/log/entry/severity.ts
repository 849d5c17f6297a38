export enum LogSeverity {
  DEBUG = 'DEBUG',
  INFO = 'INFO',
  WARNING = 'WARNING',
  ERROR = 'ERROR',
  CRITICAL = 'CRITICAL',
}

/** From mild to grave. A severity is stored as its place here: only a plain integer's comparison passes row-level security into an index. */
export const SEVERITIES = Object.values(LogSeverity);
