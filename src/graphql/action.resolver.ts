import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Author } from '../auth/scope.js';
import { RegisterActionInput, RegisteredAction } from '../log/actions/registered-action.js';
import type { ReelContext } from './context.js';
import { Authenticated, GrantedAuthor, Internal } from './directives.js';

@Resolver()
export class ActionResolver {
  @Query(() => [RegisteredAction], { description: 'Newest versions, for completions and headings.' })
  @Authenticated()
  async actions(
    @Arg('module', () => String, { nullable: true, description: 'Of this module; none: of all.' })
    module: string | null | undefined,
    @Ctx() { services }: ReelContext,
  ): Promise<readonly RegisteredAction[]> {
    return services.actions.list(module);
  }

  @Mutation(() => [RegisteredAction], {
    description:
      "The credential's own module's (a `*` credential: FORBIDDEN). A version once registered stays; the same version with other content than its description: CONFLICT.",
  })
  @Internal()
  registerActions(
    @GrantedAuthor() author: Extract<Author, { kind: 'module' }>,
    @Arg('actions', () => [RegisterActionInput], {
      description:
        'What is registered, all or none: 1 to 1,000 a call. A module has at most 1,000 actions, of 20 versions each, and 4 MiB of schemas.',
    })
    actions: RegisterActionInput[],
    @Ctx() { services }: ReelContext,
  ): Promise<RegisteredAction[]> {
    return services.actions.register(author.module, actions);
  }
}
