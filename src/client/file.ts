import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';

/** What a segment is kept in. Errors: those of the file system. */
export interface SegmentFile {
  write(bytes: Buffer, at: number): void;
  /** So many bytes, or as many as there are. */
  read(at: number, length: number): Buffer;
  truncate(length: number): void;
  /** Brings it to the disk itself, now or, where it is to be told when, meanwhile. */
  sync(done?: (error: Error | null) => void): void;
  /** Where it is used again, it is opened again. */
  close(): void;
  remove(): void;
}

/** Opened with `flags` the first time. */
export function fileAt(path: string, flags: string): SegmentFile {
  let descriptor: number | null = openSync(path, flags, 0o600);
  const open = () => (descriptor ??= openSync(path, 'r+'));
  const file: SegmentFile = {
    write(bytes, at) {
      for (let done = 0; done < bytes.length; )
        done += writeSync(open(), bytes, done, bytes.length - done, at + done);
    },
    read(at, length) {
      const bytes = Buffer.allocUnsafe(length);
      return bytes.subarray(0, readSync(open(), bytes, 0, length, at));
    },
    truncate: (length) => ftruncateSync(open(), length),
    sync: (done) => (done ? fdatasync(open(), done) : fdatasyncSync(open())),
    close() {
      if (descriptor !== null) closeSync(descriptor);
      descriptor = null;
    },
    remove() {
      file.close();
      rmSync(path, { force: true });
    },
  };
  return file;
}

const nothing = () => {};

export function memoryFile(): SegmentFile {
  const written = new Map<number, Buffer>();
  return {
    write: (bytes, at) => written.set(at, bytes),
    // Whole records, and one at least.
    read(at, length) {
      const records: Buffer[] = [];
      let left = length;
      for (
        let next = written.get(at);
        next && (left === length || left >= next.length);
        next = written.get(at)
      ) {
        records.push(next);
        left -= next.length;
        at += next.length;
      }
      return Buffer.concat(records);
    },
    truncate: nothing,
    sync: nothing,
    close: nothing,
    remove: nothing,
  };
}
