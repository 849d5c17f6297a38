import { Arg, Ctx, Query, Resolver } from 'type-graphql';
import { VIEW } from '../auth/actions.js';
import type { Scope } from '../auth/scope.js';
import { Count } from '../log/entry/scalars.js';
import { Checkpoint, ConsistencyProof } from '../seal/proof.js';
import type { ReelContext } from './context.js';
import { GrantedScope, Mentor } from './directives.js';

@Resolver()
export class SealResolver {
  @Query(() => Checkpoint, {
    nullable: true,
    description: "The tenant's newest signed checkpoint; null while nothing is sealed.",
  })
  @Mentor(VIEW, ['ACCOUNT'])
  checkpoint(@GrantedScope() scope: Scope, @Ctx() { services }: ReelContext): Promise<Checkpoint | null> {
    return services.seal.checkpoint(scope);
  }

  @Query(() => ConsistencyProof, {
    description: 'Proof that the log of size second extends the log of size first.',
  })
  @Mentor(VIEW, ['ACCOUNT'])
  consistencyProof(
    @GrantedScope() scope: Scope,
    @Arg('first', () => Count, { description: 'The earlier size.' }) first: number,
    @Arg('second', () => Count, { description: "The later size, at most the newest checkpoint's." })
    second: number,
    @Ctx() { services }: ReelContext,
  ): Promise<ConsistencyProof> {
    return services.seal.consistencyProof(scope, first, second);
  }
}
