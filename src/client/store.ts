/** When what is written reaches the disk itself, for when the machine loses power: before log() returns, within 50 ms, or when the system likes. */
export type Fsync = 'each' | 'batch' | 'never';

/** The server has the entry on disk. */
export interface Stored {
  id: string;
  /** RFC 3339, UTC, with microseconds. */
  createdAt: string;
}

/** Who waits for what becomes of an entry. */
export interface Waiter {
  resolve(stored: Stored): void;
  reject(error: Error): void;
}

/** An entry that waits to be sent. */
export interface Waiting {
  record: Buffer;
  /** The entry as JSON, by the names of REST. */
  payload: Buffer;
  waiter?: Waiter | undefined;
}

/** Entries that are sent together. There is one batch at a time. */
export interface Batch {
  entries: readonly Waiting[];
  /** All of them are stored, refused for good, or appended anew. */
  settle(): void;
  /** They wait again. */
  giveBack(): void;
}

/** Where entries wait to be sent, in the order they were taken. */
export interface Store {
  /** Entries that wait, those of the batch among them. */
  readonly count: number;
  readonly bytes: number;
  /** When the oldest of them was taken, in Unix milliseconds; null where none waits. */
  readonly oldest: number | null;
  /** Throws where it cannot be written; then nothing of it is kept. */
  append(record: Buffer, waiter?: Waiter): void;
  /** The oldest entries: at most so many, and 1 MiB; null where none waits. */
  next(most: number): Batch | null;
  /** Drops the oldest, but not of the batch, until there is room for so many bytes; answers how many entries it dropped. */
  makeRoom(bytes: number, limit: number): number;
  /** What other processes left is taken over. */
  readonly ready: Promise<void>;
  close(): void;
}
