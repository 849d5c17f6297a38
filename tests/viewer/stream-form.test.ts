import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { KINDS as SERVED } from '../../src/stream/kinds/kinds.js';
import type { StreamFragment } from '../../web/stage/generated.js';
import {
  createInputOf,
  draftOf,
  isMoved,
  needsSecret,
  newWebhookSecret,
  ofKind,
  updateInputOf,
} from '../../web/stage/streams/draft.js';
import { fieldsOf, KIND_NAMES, KINDS } from '../../web/stage/streams/kinds.js';

const STREAM: StreamFragment = {
  id: '01a228ee-e9be-737b-9490-f6876805c2bb',
  name: 'Warehouse',
  kind: 'WEBHOOK',
  format: 'REEL',
  query: 'severity>=WARNING',
  clientId: null,
  settings: { url: 'https://warehouse.example.com/in', headers: { 'x-team': null }, batchEntries: 100 },
  hasSecret: true,
  state: 'RUNNING',
  position: 7,
  lagEntries: 0,
  lagSeconds: 0,
  lastDeliveredAt: null,
  lastError: null,
  parkedCount: 0,
  createdAt: '2026-01-05T10:00:00.000000Z',
};

describe('the form of a stream', () => {
  test('knows every kind that the server has', () => {
    expect(KIND_NAMES.toSorted()).toEqual(Object.keys(SERVED).toSorted());
  });

  test.each(KIND_NAMES)('asks for what %s takes, and for all of it', (name) => {
    const served = SERVED[name];
    const { shape } = served.settings as unknown as z.ZodObject;
    const fields = fieldsOf(name);
    expect(fields.map((field) => field.name).toSorted()).toEqual(Object.keys(shape).toSorted());
    expect(KINDS[name].formats.toSorted()).toEqual(served.formats.toSorted());
    const destination = fields.filter((field) => field.isDestination).map((field) => field.name);
    expect(destination.toSorted()).toEqual(served.destination.toSorted());
    for (const { name: setting, isRequired = false, type, range, choices, standard } of fields) {
      const takes = (value: unknown) => (shape[setting] as z.ZodType).safeParse(value).success;
      expect(takes(undefined), setting).toBe(!isRequired);
      for (const bound of range ?? []) expect(takes(bound), setting).toBe(true);
      for (const [at, step] of [-1, 1].entries())
        if (range) expect(takes(range[at]! + step), setting).toBe(false);
      for (const choice of choices ?? []) expect(takes(choice), setting).toBe(true);
      if (type === 'truth') expect(takes(standard), setting).toBe(true);
    }
    const standardOf = (setting: string) => fields.find((field) => field.name === setting)?.standard;
    expect(['batchEntries', 'batchBytes', 'batchSeconds'].map((each) => Number(standardOf(each)))).toEqual([
      served.batch.entries,
      served.batch.bytes,
      served.batch.seconds,
    ]);
    expect(standardOf('proofs') ?? false).toBe(served.proofs);
    const takesSecret = (secret: string | null) => {
      try {
        served.checkSecret(secret, {});
        return true;
      } catch {
        return false;
      }
    };
    const isWebhook = name === 'WEBHOOK';
    const isRequired = KINDS[name].secret === 'required';
    expect(takesSecret(null)).toBe(!isRequired);
    expect(takesSecret(isWebhook ? newWebhookSecret() : 'a-token')).toBe(KINDS[name].secret !== 'none');
  });

  test.each(['en', 'pt-BR'])('has a label for every setting and a word for every choice, %s', (lang) => {
    const folder = join(import.meta.dirname, '..', '..', 'web', 'stage', 'locales');
    const { streams } = JSON.parse(readFileSync(join(folder, `${lang}.json`), 'utf8'));
    for (const field of KIND_NAMES.flatMap(fieldsOf)) {
      expect(streams.settings, field.name).toHaveProperty(field.name);
      for (const choice of field.choices ?? []) expect(streams.choices).toHaveProperty(choice);
    }
  });

  test('that was not touched changes nothing', () => {
    expect(updateInputOf(draftOf(STREAM), STREAM)).toEqual({});
    const odd = { ...STREAM, settings: { ...STREAM.settings, signing: 'v1', proofs: true, batchSeconds: 0 } };
    expect(updateInputOf(draftOf(odd), odd)).toEqual({});
  });

  test('sends what was changed alone, and null for what was taken away', () => {
    const draft = draftOf(STREAM);
    draft.name = ' Lake ';
    draft.settings.batchEntries = '';
    draft.settings.batchSeconds = '5';
    draft.settings.proofs = false;
    draft.headers.push({ name: 'x-new', value: 'secret', isKept: false });
    expect(updateInputOf(draft, STREAM)).toEqual({
      name: 'Lake',
      settings: {
        batchEntries: null,
        batchSeconds: 5,
        proofs: false,
        headers: { 'x-team': null, 'x-new': 'secret' },
      },
    });
    draft.headers = [];
    expect(updateInputOf(draft, STREAM).settings).toMatchObject({ headers: null });
  });

  test('asks for the secret again where the address changes, or the way of signing', () => {
    const draft = draftOf(STREAM);
    expect(needsSecret(draft, STREAM)).toBe(false);
    draft.settings.url = 'https://elsewhere.example.com/';
    expect(isMoved(draft, STREAM)).toBe(true);
    expect(needsSecret(draft, STREAM)).toBe(true);
    draft.settings.signing = 'v1a';
    expect(needsSecret(draft, STREAM)).toBe(false);
    expect(updateInputOf(draft, STREAM)).toMatchObject({ secret: null, settings: { signing: 'v1a' } });
    const signed = { ...STREAM, settings: { ...STREAM.settings, signing: 'v1a', publicKey: 'whpk_x' } };
    const back = draftOf(signed);
    expect(needsSecret(back, signed)).toBe(false);
    back.settings.signing = 'v1';
    expect(needsSecret(back, signed)).toBe(true);
  });

  test('creates with what was typed, whatever kinds were looked at on the way', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...KIND_NAMES), { maxLength: 5 }), (kinds) => {
        let draft = draftOf(null);
        draft.name = 'Warehouse';
        draft.settings.url = 'https://in.example.com/';
        draft.headers = [{ name: 'x-team', value: 'security', isKept: false }];
        for (const kind of kinds) draft = ofKind(draft, kind);
        draft = ofKind(draft, 'WEBHOOK');
        draft.secret = 'whsec_x';
        draft.begin = 'first';
        const lostUrl = kinds.some((kind) => !fieldsOf(kind).some(({ name }) => name === 'url'));
        expect(createInputOf(draft)).toEqual({
          name: 'Warehouse',
          kind: 'WEBHOOK',
          format: 'REEL',
          query: '',
          settings: {
            ...(!lostUrl && { url: 'https://in.example.com/' }),
            headers: { 'x-team': 'security' },
          },
          secret: 'whsec_x',
          after: 0,
        });
      }),
    );
  });
});
