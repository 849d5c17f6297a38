import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
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
  length(): number;
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
    length: () => fstatSync(open()).size,
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

export function memoryFile(): SegmentFile {
  let buffer = Buffer.alloc(0);
  return {
    write(bytes, at) {
      const end = at + bytes.length;
      if (end > buffer.length) buffer = Buffer.concat([buffer, Buffer.alloc(end)]);
      bytes.copy(buffer, at);
    },
    read: (at, length) => buffer.subarray(at, at + length),
    length: () => buffer.length,
    truncate() {},
    sync() {},
    close() {},
    remove() {},
  };
}
