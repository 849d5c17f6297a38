import 'reflect-metadata';
import { Field, Int, ObjectType } from 'type-graphql';
import { Count, DateTime, UUID } from '../log/entry/scalars.js';

@ObjectType({
  description:
    "A signed statement of a tenant's log: so many entries, this Merkle root (RFC 6962), at this time.",
  simpleResolvers: true,
})
export class Checkpoint {
  @Field(() => UUID)
  tenantId!: string;

  @Field(() => Count)
  treeSize!: number;

  @Field(() => String, { description: 'Base64.' })
  rootHash!: string;

  @Field(() => DateTime)
  sealedAt!: string;

  @Field(() => String, { description: 'The signed note, as text, for keeping outside.' })
  note!: string;
}

@ObjectType({ simpleResolvers: true })
export class InclusionProof {
  @Field(() => Int, { description: '1 or 2: see seal.md.' })
  leafVersion!: number;

  @Field(() => Count)
  leafIndex!: number;

  @Field(() => String, { description: 'Base64.' })
  leafHash!: string;

  @Field(() => String, {
    nullable: true,
    description:
      "Base64; what the leaf's two digests were salted with; null where erased or, for data, where there is none.",
  })
  identitySalt!: string | null;

  @Field(() => String, { nullable: true })
  dataSalt!: string | null;

  @Field(() => String, {
    description:
      'The two digests as they stand in the leaf, lower-case hex (in proof bundles and exports base64); they remain after an erasure.',
  })
  identityDigest!: string;

  @Field(() => String, { nullable: true })
  dataDigest!: string | null;

  @Field(() => [String], { description: 'Audit path, base64, leaf to root (RFC 6962 section 2.1.1).' })
  path!: string[];

  @Field(() => Checkpoint)
  checkpoint!: Checkpoint;
}

@ObjectType({ simpleResolvers: true })
export class ConsistencyProof {
  @Field(() => Count)
  first!: number;

  @Field(() => Count)
  second!: number;

  @Field(() => [String], { description: 'Base64 (RFC 6962 section 2.1.2).' })
  path!: string[];
}
