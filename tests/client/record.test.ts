import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRecord, encodeRecord, HEADER_BYTES } from '../../src/client/record.js';

const payloads = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 20 });
const instants = fc.double({ noNaN: true, min: 0, max: 1e15 });

/** All whole records from the beginning on. */
function read(buffer: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; ; ) {
    const record = decodeRecord(buffer, at);
    if (!record) return found;
    found.push(record.payload.toString());
    at += record.record.length;
  }
}

test('what was written is read, with its time', () => {
  fc.assert(
    fc.property(payloads, instants, (texts, time) => {
      const buffer = Buffer.concat(texts.map((text) => encodeRecord(text, time)));
      expect(read(buffer)).toEqual(texts.map((text) => Buffer.from(text).toString()));
      expect(decodeRecord(buffer, 0)?.time).toBe(time);
    }),
  );
});

test('of a file that is cut anywhere, whole records are read, and no other', () => {
  fc.assert(
    fc.property(payloads, fc.nat(), (texts, cut) => {
      const records = texts.map((text) => encodeRecord(text, 1));
      const whole = Buffer.concat(records);
      const length = cut % (whole.length + 1);
      let count = 0;
      for (let end = 0; count < records.length && end + records[count]!.length <= length; count += 1)
        end += records[count]!.length;
      expect(read(whole.subarray(0, length))).toHaveLength(count);
    }),
  );
});

test('a flipped bit is found, wherever it is', () => {
  fc.assert(
    fc.property(payloads, fc.nat(), fc.nat(7), (texts, place, bit) => {
      const records = texts.map((text) => encodeRecord(text, 1));
      const whole = Buffer.concat(records);
      const at = place % whole.length;
      whole[at]! ^= 1 << bit;
      let count = 0;
      for (let end = records[0]!.length; end <= at; end += records[count]!.length) count += 1;
      expect(read(whole)).toEqual(texts.slice(0, count).map((text) => Buffer.from(text).toString()));
    }),
  );
});

test('zeros and rests of other records are none', () => {
  expect(decodeRecord(Buffer.alloc(64), 0)).toBeNull();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodeRecord(Buffer.from(bytes), 0) === null),
  );
});

test('the checksum is that of gzip', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const record = encodeRecord(text, 1);
      expect(record.readUInt32LE(4)).toBe(crc32(record.subarray(8)));
      expect(record.readUInt32LE(0)).toBe(record.length - HEADER_BYTES);
    }),
  );
});
