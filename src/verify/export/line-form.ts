import { FIELDS, type Field } from '../../log/entry/fields.js';
import { LEAF_VERSIONS, type LeafVersion, type Template } from '../../log/entry/leaf.js';
import {
  ALL_EXPORT_LINE_KEYS,
  BUNDLE_BINARY_KEYS,
  BUNDLE_ENTRY_KEYS,
  EXPORT_LINE_KEYS,
  FIRST_BUNDLE_ENTRY_KEYS,
  VERSION_KEY,
} from '../../seal/proof-bundle.js';

/** A value of a line, and the bytes before it. */
export interface Slot {
  readonly key: string;
  readonly before: Buffer;
  readonly kind: 'string' | 'list' | 'data' | 'sequence' | 'repeated';
  /** Of a repeated value: the index of the slot that has it first. */
  readonly first: number;
}

/** Indexes of the slots with a part of their own in the check. */
interface SlotIndexes {
  readonly sequence: number;
  readonly data: number;
  readonly identitySalt: number;
  readonly dataSalt: number;
  readonly identityDigest: number;
  readonly dataDigest: number;
  readonly leafHash: number;
}

/** A canonical JSON object as its constant parts, one more than the slots that stand between them. */
interface CanonicalObject {
  readonly parts: readonly Buffer[];
  readonly slots: readonly number[];
}

/** A form in which Reel has written lines of exports with proofs, up to the audit path. */
export interface LineForm {
  readonly hasData: boolean;
  readonly slots: readonly Slot[];
  readonly at: SlotIndexes;
  readonly identity: CanonicalObject;
  /** After the prefix of a leaf (RFC 6962, section 2.1). */
  readonly leaf: CanonicalObject;
  /** Slots of the fields that the leaf version has, by column. */
  readonly sealed: ReadonlyMap<string, number>;
  /** Fields that came with a later leaf version, for which this one's leaf does not speak. */
  readonly later: readonly Field[];
  readonly laterSlots: readonly number[];
}

const FIELD_BY_COLUMN = new Map(FIELDS.map((field) => [field.column, field]));

function kindOf(key: string): Slot['kind'] {
  switch (FIELD_BY_COLUMN.get(key)?.kind.type) {
    case 'jsonb':
      return 'data';
    case 'bigint':
      return 'sequence';
    case 'ARRAY':
      return 'list';
    default:
      return 'string';
  }
}

interface Choice {
  readonly leaf: LeafVersion;
  readonly hasData: boolean;
  readonly lineKeys: readonly string[];
  readonly entryKeys: readonly string[];
  /** What precedes the entry in the bundle. */
  readonly opening: string;
}

function formOf({ leaf, hasData, lineKeys, entryKeys, opening }: Choice): LineForm {
  const slots: Slot[] = [];
  const add = (keys: readonly string[], start: string) => {
    const known = slots.map(({ key }) => key);
    for (const [at, key] of keys.entries()) {
      const first = known.indexOf(key);
      const before = Buffer.from(`${at === 0 ? start : ','}"${key}":`);
      slots.push({ key, before, kind: first < 0 ? kindOf(key) : 'repeated', first });
    }
  };
  const isIncluded = (key: string) => hasData || key !== 'data';
  add(lineKeys.filter(isIncluded), '{');
  add(entryKeys.filter(isIncluded), `,"proof":{${opening}"entry":{`);
  add(BUNDLE_BINARY_KEYS, '},');
  const indexOf = (key: string) => slots.findIndex((slot) => slot.key === key);
  const objectOf = <Member>(
    { members, parts }: Template<Member>,
    keyOf: (member: Member) => string,
    prefix = '',
  ): CanonicalObject => ({
    parts: parts.map((part, at) => Buffer.from((at === 0 ? prefix : '') + part)),
    slots: members.map((member) => indexOf(keyOf(member))),
  });
  const slotOf = ({ column }: Field) => indexOf(column);
  const present = FIELDS.filter((field) => slotOf(field) >= 0);
  const later = present.filter(({ since }) => since > leaf.version);
  return {
    hasData,
    slots,
    at: {
      sequence: indexOf('sequence'),
      data: indexOf('data'),
      identitySalt: indexOf('identity_salt'),
      dataSalt: indexOf('data_salt'),
      identityDigest: indexOf('identity_digest'),
      dataDigest: indexOf('data_digest'),
      leafHash: indexOf('leaf_hash'),
    },
    identity: objectOf(leaf.identity, ({ column }) => column),
    leaf: objectOf(
      leaf.leaf,
      (member) => (typeof member === 'string' ? `${member}_digest` : member.column),
      '\0',
    ),
    sealed: new Map(
      present.filter(({ since }) => since <= leaf.version).map((field) => [field.column, slotOf(field)]),
    ),
    later,
    laterSlots: later.map(slotOf),
  };
}

/** Of this edition in every leaf version, with the usual fields and all of them, and of the first. */
export const LINE_FORMS: readonly LineForm[] = [true, false].flatMap((hasData) => [
  ...[...LEAF_VERSIONS.values()].flatMap((leaf) =>
    [EXPORT_LINE_KEYS, ALL_EXPORT_LINE_KEYS].map((lineKeys) =>
      formOf({
        leaf,
        hasData,
        lineKeys,
        entryKeys: BUNDLE_ENTRY_KEYS,
        opening: `"${VERSION_KEY}":${leaf.version},`,
      }),
    ),
  ),
  formOf({
    leaf: LEAF_VERSIONS.get(1)!,
    hasData,
    lineKeys: EXPORT_LINE_KEYS,
    entryKeys: FIRST_BUNDLE_ENTRY_KEYS,
    opening: '',
  }),
]);
