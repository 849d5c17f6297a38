/** What can be wrong with a sealed log. */
export type FaultKind = 'changed' | 'missing' | 'extra' | 'moved' | 'tile' | 'checkpoint' | 'count';

export interface Fault {
  readonly kind: FaultKind;
  /**
   * Position in the tenant's log, from 1: of the entry, of the first entry that a tile or a count covers, or the size of
   * a checkpoint.
   */
  readonly sequence: number;
  /** For a person to read. */
  readonly detail: string;
}

export type Report = (fault: Fault) => void;

/** `changed 17: …`, as commands print it. */
export const faultLine = ({ kind, sequence, detail }: Fault): string => `${kind} ${sequence}: ${detail}`;
