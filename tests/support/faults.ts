import { onTestFinished } from 'vitest';

/** What would have ended a process that nobody watches, from now until the test is over. */
export function watchForFaults(): readonly unknown[] {
  const faults: unknown[] = [];
  const note = (fault: unknown) => void faults.push(fault);
  process.on('uncaughtExceptionMonitor', note).on('unhandledRejection', note);
  onTestFinished(() => void process.off('uncaughtExceptionMonitor', note).off('unhandledRejection', note));
  return faults;
}
