import { Arg, Ctx, Int, Mutation, Query, Resolver } from 'type-graphql';
import { MANAGE_STREAMS } from '../auth/actions.js';
import { readerOf } from '../auth/caller.js';
import type { Scope } from '../auth/scope.js';
import { Count, DateTime, UUID } from '../log/entry/scalars.js';
import { CreateStreamInput, ParkedEntry, Stream, StreamTest, UpdateStreamInput } from '../stream/stream.js';
import type { ReelContext } from './context.js';
import { GrantedScope, Mentor } from './directives.js';

const Id = () => Arg('id', () => UUID, { description: "The stream's id." });
const Managing = () => Mentor(MANAGE_STREAMS, ['ACCOUNT']);

@Resolver()
export class StreamResolver {
  @Query(() => [Stream], { description: "The tenant's streams, oldest first." })
  @Managing()
  streams(@GrantedScope() scope: Scope, @Ctx() { services }: ReelContext): Promise<Stream[]> {
    return services.streams.list(scope);
  }

  @Query(() => Stream, { nullable: true, description: 'One stream; null where there is none.' })
  @Managing()
  stream(
    @GrantedScope() scope: Scope,
    @Id() id: string,
    @Ctx() { services }: ReelContext,
  ): Promise<Stream | null> {
    return services.streams.get(scope, id);
  }

  @Query(() => [ParkedEntry], {
    description: 'Entries that its receiver refused for good, by their sequence.',
  })
  @Managing()
  parkedEntries(
    @GrantedScope() scope: Scope,
    @Id() id: string,
    @Arg('first', () => Int, { defaultValue: 50, description: 'At most so many: 1 to 1,000.' }) first: number,
    @Ctx() { services }: ReelContext,
  ): Promise<ParkedEntry[]> {
    return services.streams.parked(scope, id, first);
  }

  @Mutation(() => Stream, { description: 'Begins a stream; a tenant has at most 20.' })
  @Managing()
  createStream(
    @GrantedScope() scope: Scope,
    @Arg('input', () => CreateStreamInput, { description: 'What it delivers, and where.' })
    input: CreateStreamInput,
    @Ctx() { services, caller }: ReelContext,
  ): Promise<Stream> {
    return services.streams.create(scope, readerOf(caller), input);
  }

  @Mutation(() => Stream, { description: 'Changes a stream, from the next batch on.' })
  @Managing()
  updateStream(
    @GrantedScope() scope: Scope,
    @Id() id: string,
    @Arg('input', () => UpdateStreamInput, { description: 'What changes.' }) input: UpdateStreamInput,
    @Ctx() { services, caller }: ReelContext,
  ): Promise<Stream> {
    return services.streams.update(scope, readerOf(caller), id, input);
  }

  @Mutation(() => Stream, { description: 'Delivers nothing until it is resumed.' })
  @Managing()
  pauseStream(
    @GrantedScope() scope: Scope,
    @Id() id: string,
    @Ctx() { services, caller }: ReelContext,
  ): Promise<Stream> {
    return services.streams.pause(scope, readerOf(caller), id);
  }

  @Mutation(() => Stream, {
    description: 'Goes on where it was; one that is failing or disabled is tried now.',
  })
  @Managing()
  resumeStream(
    @GrantedScope() scope: Scope,
    @Id() id: string,
    @Ctx() { services, caller }: ReelContext,
  ): Promise<Stream> {
    return services.streams.resume(scope, readerOf(caller), id);
  }

  @Mutation(() => Stream, {
    description: 'From the entry after this sequence, or sealed since this time; exactly one of the two.',
  })
  @Managing()
  replayStream(
    @GrantedScope() scope: Scope,
    @Id() id: string,
    @Arg('after', () => Count, { nullable: true, description: 'A sequence; 0 is the beginning.' })
    after: number | null | undefined,
    @Arg('since', () => DateTime, { nullable: true, description: 'A time of sealing.' })
    since: string | null | undefined,
    @Ctx() { services, caller }: ReelContext,
  ): Promise<Stream> {
    return services.streams.replay(scope, readerOf(caller), id, { after, since });
  }

  @Mutation(() => StreamTest, { description: 'Sends one marked entry and answers what came back.' })
  @Managing()
  testStream(
    @GrantedScope() scope: Scope,
    @Id() id: string,
    @Ctx() { services, caller }: ReelContext,
  ): Promise<StreamTest> {
    return services.streams.test(scope, readerOf(caller), id);
  }

  @Mutation(() => Stream, { description: 'Sends again all that is parked there.' })
  @Managing()
  retryParked(
    @GrantedScope() scope: Scope,
    @Id() id: string,
    @Ctx() { services }: ReelContext,
  ): Promise<Stream> {
    return services.streams.retryParked(scope, id);
  }

  @Mutation(() => Boolean, { description: 'Ends a stream for good; what was delivered stays there.' })
  @Managing()
  removeStream(
    @GrantedScope() scope: Scope,
    @Id() id: string,
    @Ctx() { services, caller }: ReelContext,
  ): Promise<boolean> {
    return services.streams.remove(scope, readerOf(caller), id);
  }
}
