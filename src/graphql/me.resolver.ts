import { Ctx, Field, ObjectType, Query, Resolver } from 'type-graphql';
import { namedBy } from '../auth/credential.js';
import type { ClientStanding, TenantStanding } from '../auth/standing.js';
import { UUID } from '../log/entry/scalars.js';
import type { ReelContext } from './context.js';
import { Authenticated } from './directives.js';

@ObjectType('CallerClient', {
  description: 'A client that the person holds a grant in.',
  simpleResolvers: true,
})
class CallerClient implements ClientStanding {
  @Field(() => UUID, { description: "The client's id." })
  id!: string;

  @Field(() => String, { nullable: true, description: 'What people call it; null where that is not known.' })
  name!: string | null;

  @Field(() => Boolean, {
    description:
      "Whether the person may view the client's entries, by a grant in the client or in its tenant.",
  })
  mayView!: boolean;

  @Field(() => Boolean, { description: "Whether the person may export the client's entries." })
  mayExport!: boolean;
}

@ObjectType('CallerTenant', {
  description: 'mayView: the caller holds a grant of reel.logs.view there, of whichever scope.',
  simpleResolvers: true,
})
class CallerTenant implements TenantStanding {
  @Field(() => UUID, { description: "The tenant's id, as X-Tenant-Id takes it." })
  id!: string;

  @Field(() => String, { nullable: true, description: 'What people call it; null where that is not known.' })
  name!: string | null;

  @Field(() => Boolean, {
    description:
      "Whether the person may view entries there: all of the tenant's, or those of single clients.",
  })
  mayView!: boolean;

  @Field(() => Boolean, {
    description: 'Whether the person may manage the delivery of entries to other systems.',
  })
  mayManageStreams!: boolean;

  @Field(() => [CallerClient], { description: 'Clients that the person holds a grant in.' })
  clients!: readonly CallerClient[];
}

@ObjectType('Caller', {
  description: 'Who is calling, and what they may see.',
  simpleResolvers: true,
})
class CallerAnswer {
  @Field(() => String, { nullable: true, description: 'Of a person.' })
  id!: string | null;

  @Field(() => String, { nullable: true, description: "A person's e-mail address, where the token has one." })
  email!: string | null;

  @Field(() => String, { nullable: true, description: "A person's name, where the token has one." })
  name!: string | null;

  @Field(() => String, { nullable: true, description: "Of a module's credential: its name." })
  module!: string | null;

  @Field(() => [CallerTenant], {
    description: 'Where the person belongs, by name where that is known, else by id.',
  })
  tenants!: readonly CallerTenant[];
}

@Resolver()
export class MeResolver {
  @Query(() => CallerAnswer, {
    description:
      'Who is calling: needs a credential and no X-Tenant-Id; with REEL_MENTOR=http the tenant named, or those that the token names.',
  })
  @Authenticated()
  async me(@Ctx() { services: { authorizer }, caller }: ReelContext): Promise<CallerAnswer> {
    const credential = authorizer.authenticated(caller);
    if (credential.kind === 'module')
      return { id: null, email: null, name: null, module: credential.module, tenants: [] };
    const tenants = await authorizer.standings(caller, credential);
    return { ...namedBy(credential), name: credential.name, module: null, tenants };
  }
}
