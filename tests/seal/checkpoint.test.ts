import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openCheckpoint, readCheckpoint, writeCheckpoint } from '../../src/seal/checkpoint.js';
import {
  readNote,
  readPublicPem,
  readVkey,
  signedBy,
  signerOf,
  verifierOf,
  vkeyOf,
} from '../../src/seal/note.js';
import { openNote } from '../support/independent-verifier.js';

const TENANT = '11111111-1111-4111-8111-111111111111';
const keys = generateKeyPairSync('ed25519');
const signer = signerOf('reel.local', keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
const other = signerOf(
  'reel.local',
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
);
const root = Buffer.alloc(32, 7);
const said = { treeSize: 12_345, rootHash: root, sealedAt: '2026-01-05T10:00:00.123456Z' };
const note = writeCheckpoint(signer, TENANT, said);

describe('signed notes', () => {
  /** The example in the documentation of golang.org/x/mod/sumdb/note. */
  const VKEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
  const NOTE =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
    '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';

  test("another implementation's note and key are read", () => {
    const verifier = readVkey(VKEY)!;
    expect(vkeyOf(verifier)).toBe(VKEY);
    expect(signedBy(readNote(NOTE)!, [signer, verifier])).toBe(verifier);
    expect(signedBy(readNote(NOTE.replace('answer', 'Answer'))!, [verifier])).toBeNull();
    expect(signedBy(readNote(NOTE)!, [signer])).toBeNull();
  });

  test('what is no key is none', () => {
    const faulty = [
      VKEY.replace('c74f20a3', 'c74f20a4'),
      VKEY.replace('PeterNeumann', 'PeterNeuman'),
      VKEY.slice(0, -4),
      VKEY.replace('+ARpc', '+Appc'),
      '',
      'a+b+c',
    ];
    for (const each of faulty) expect(readVkey(each)).toBeNull();
    expect(readVkey(vkeyOf(signer))?.publicKey).toEqual(signer.publicKey);
  });

  test('what is no note is none', () => {
    const faulty = [
      '',
      'text',
      'text\n\n',
      'text\n\n— a',
      'text\n\n— a b\n',
      `a\tb\n\n${NOTE.split('\n\n')[1]}`,
    ];
    for (const each of [...faulty, NOTE.slice(0, -1), NOTE.replace('— ', '- ')])
      expect(readNote(each)).toBeNull();
  });

  test('a known key whose signature does not hold spoils a note that another has signed', () => {
    const signed = readNote(NOTE)!;
    const [mine] = readNote(note)!.signatures;
    const both = { ...signed, signatures: [...signed.signatures, mine!] };
    expect(signedBy(both, [readVkey(VKEY)!])?.name).toBe('PeterNeumann');
    expect(signedBy(both, [readVkey(VKEY)!, signer])).toBeNull();
  });
});

describe('checkpoints', () => {
  test('byte for byte', () => {
    const [text, signature] = note.split('\n\n');
    expect(text).toBe(
      `reel.local/${TENANT}\n12345\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\nsealed 2026-01-05T10:00:00.123456Z`,
    );
    expect(signature).toMatch(/^— reel\.local [A-Za-z0-9+/]{91}=\n$/);
  });

  test('open under their key, also by code that is not Reel’s, and under no other', () => {
    const opened = openCheckpoint(note, [other, signer]);
    expect(opened).toMatchObject({ ...said, origin: `reel.local/${TENANT}`, verifier: signer });
    const { publicKey } = signer;
    expect(openNote(note, 'reel.local', publicKey)).toMatchObject({ size: 12_345, root });
    expect(() => openNote(note.replace('12345', '12346'), 'reel.local', publicKey)).toThrow();
    expect(openCheckpoint(note, [other])).toBe('not signed by a known key');
    expect(openCheckpoint(note, [verifierOf('reel.other', publicKey)])).toBe('not signed by a known key');
  });

  test('no bit of one can be changed', () => {
    const bytes = Buffer.from(note);
    for (let at = 0; at < bytes.length; at += 1) {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1 << (at % 7);
      expect(openCheckpoint(copy.toString(), [signer])).toBeTypeOf('string');
    }
  });

  test("another log's name is refused even when the key signs it", () => {
    const foreign = { ...signer, name: 'reel.other' };
    const crossed = writeCheckpoint(foreign, TENANT, said).replace('— reel.other', '— reel.local');
    expect(openCheckpoint(crossed, [signer])).toBeTypeOf('string');
  });

  test('numbers and hashes have one spelling', () => {
    const text = `a/b\n5\n${root.toString('base64')}\nsealed 2026-01-05T10:00:00Z\n`;
    expect(readCheckpoint(text)?.treeSize).toBe(5);
    const faulty = [
      text.replace('\n5\n', '\n05\n'),
      text.replace('\n5\n', '\n5.0\n'),
      text.replace('\n5\n', '\n9999999999999999\n'),
      text.replace('=', ''),
      text.replace('sealed', 'Sealed'),
      `${text}more\n`,
      text.replace('a/b', ''),
    ];
    for (const each of faulty) expect(readCheckpoint(each)).toBeNull();
  });

  test('the public key as PEM is the same key', () => {
    const pem = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect(readPublicPem(pem)).toEqual(signer.publicKey);
    const rsa = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect(() => readPublicPem(rsa)).toThrow('expected an Ed25519 key, got x25519');
  });
});
