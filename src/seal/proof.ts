import 'reflect-metadata';
import { Field, Int, ObjectType } from 'type-graphql';
import { Count, DateTime, UUID } from '../log/entry/scalars.js';

@ObjectType({
  description:
    "A signed statement of a tenant's log: so many entries, this Merkle root (RFC 6962), at this time.",
  simpleResolvers: true,
})
export class Checkpoint {
  @Field(() => UUID, { description: 'Whose log it is.' })
  tenantId!: string;

  @Field(() => Count, { description: 'How many entries are sealed; they have the sequences 1 to this.' })
  treeSize!: number;

  @Field(() => String, { description: 'Base64.' })
  rootHash!: string;

  @Field(() => DateTime, { description: 'When it was signed.' })
  sealedAt!: string;

  @Field(() => String, { description: 'The signed note, as text, for keeping outside.' })
  note!: string;
}

@ObjectType({
  description:
    "That an entry is in the sealed log: its leaf, and the hashes that lead from it to a checkpoint's root (RFC 6962).",
  simpleResolvers: true,
})
export class InclusionProof {
  @Field(() => Int, { description: '1 or 2: see seal.md.' })
  leafVersion!: number;

  @Field(() => Count, { description: "The leaf's place in the tree, from 0: the entry's sequence less one." })
  leafIndex!: number;

  @Field(() => String, { description: 'Base64.' })
  leafHash!: string;

  @Field(() => String, {
    nullable: true,
    description:
      "Base64; what the leaf's two digests were salted with; null where erased or, for data, where there is none.",
  })
  identitySalt!: string | null;

  @Field(() => String, { nullable: true, description: 'As identitySalt, of data.' })
  dataSalt!: string | null;

  @Field(() => String, {
    description:
      'The two digests as they stand in the leaf, lower-case hex (in proof bundles and exports base64); they remain after an erasure.',
  })
  identityDigest!: string;

  @Field(() => String, {
    nullable: true,
    description: 'As identityDigest, of data; null where there is no data.',
  })
  dataDigest!: string | null;

  @Field(() => [String], { description: 'Audit path, base64, leaf to root (RFC 6962 section 2.1.1).' })
  path!: string[];

  @Field(() => Checkpoint, { description: 'The checkpoint whose root the path leads to.' })
  checkpoint!: Checkpoint;
}

@ObjectType({
  description: 'That a later log extends an earlier one: nothing in it was changed or removed (RFC 6962).',
  simpleResolvers: true,
})
export class ConsistencyProof {
  @Field(() => Count, { description: 'The earlier size.' })
  first!: number;

  @Field(() => Count, { description: 'The later size.' })
  second!: number;

  @Field(() => [String], { description: 'Base64 (RFC 6962 section 2.1.2).' })
  path!: string[];
}
