/** What can be wrong with a log that was sealed. */
export type FaultKind = 'changed' | 'missing' | 'extra' | 'moved' | 'tile' | 'checkpoint' | 'count';

export interface Fault {
  readonly kind: FaultKind;
  /** Place in the tenant's order, from 1: of the entry, the first that a tile or count is of, or a checkpoint's size. */
  readonly sequence: number;
  /** In words, for a person. */
  readonly detail: string;
}

export type Report = (fault: Fault) => void;

/** `changed 17: …`, as commands print it. */
export const faultLine = ({ kind, sequence, detail }: Fault): string => `${kind} ${sequence}: ${detail}`;
