/** `2026-01-05 10:00:00.12+00`, as a session in UTC prints a timestamptz, in the wire's form. */
export function instant(stored: string): string {
  const fraction = stored.slice(20, -3);
  return `${stored.slice(0, 10)}T${stored.slice(11, 19)}.${fraction.padEnd(6, '0')}Z`;
}
