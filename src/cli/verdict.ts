/** What a log was found to be. */
export interface Verdict {
  tenantId: string | null;
  size: number;
  root: Buffer;
}
