import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import { VIEW } from '../auth/actions.js';
import { type Caller, readerOf } from '../auth/caller.js';
import type { Scope } from '../auth/scope.js';
import { ReelError } from '../errors.js';
import { UUID } from '../log/entry/scalars.js';
import { SavedView, SaveViewInput } from '../log/views/saved-view.js';
import type { ViewCaller } from '../log/views/service.js';
import type { ReelContext } from './context.js';
import { GrantedScope, Mentor } from './directives.js';

const Viewing = () => Mentor(VIEW, ['ACCOUNT', 'CLIENT']);

@Resolver()
export class ViewResolver {
  @Query(() => [SavedView], {
    description: "The caller's saved views and the tenant's shared ones, by name.",
  })
  @Viewing()
  views(@GrantedScope() scope: Scope, @Ctx() { services, caller }: ReelContext): Promise<SavedView[]> {
    return services.views.list(scope, readerOf(caller));
  }

  @Mutation(() => SavedView, { description: 'Saves a view, for oneself or for all who may view.' })
  @Viewing()
  async saveView(
    @GrantedScope() scope: Scope,
    @Arg('input', () => SaveViewInput, { description: 'The view as it is to be.' }) input: SaveViewInput,
    @Ctx() context: ReelContext,
  ): Promise<SavedView> {
    return context.services.views.save(await viewChanger(scope, context), input);
  }

  @Mutation(() => Boolean, { description: 'Removes a saved view.' })
  @Viewing()
  async removeView(
    @GrantedScope() scope: Scope,
    @Arg('id', () => UUID, { description: "The view's id." }) id: string,
    @Ctx() context: ReelContext,
  ): Promise<boolean> {
    return context.services.views.remove(await viewChanger(scope, context), id);
  }
}

/** Whose changes are counted. */
async function viewChanger(scope: Scope, { services, caller }: ReelContext): Promise<ViewCaller> {
  await services.authorizer.countViewChange(caller, scope);
  return { scope, by: readerOf(caller), isTenantViewer: await viewsTenant(services, caller) };
}

/** By a grant of the whole tenant, also where X-Client-Id narrows the call to a client. */
const viewsTenant = ({ authorizer }: ReelContext['services'], caller: Caller): Promise<boolean> =>
  authorizer.require(caller, VIEW, ['ACCOUNT']).then(
    () => true,
    (error: unknown) => {
      if (error instanceof ReelError && error.code === 'FORBIDDEN') return false;
      throw error;
    },
  );
