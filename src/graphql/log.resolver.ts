import type { GraphQLResolveInfo } from 'graphql';
import {
  Arg,
  Args,
  ArgsType,
  Ctx,
  Field,
  FieldResolver,
  Info,
  Int,
  Mutation,
  Query,
  Resolver,
  Root,
  Subscription,
} from 'type-graphql';
import { EXPORT, VIEW } from '../auth/actions.js';
import { readerOf } from '../auth/caller.js';
import type { Author, Scope } from '../auth/scope.js';
import { LogCount } from '../log/counts/log-count.js';
import { changesOf, LogChange } from '../log/entry/changes.js';
import { CreateLogInput } from '../log/entry/create-log-input.js';
import { LogEntry } from '../log/entry/log-entry.entity.js';
import { Count, UUID } from '../log/entry/scalars.js';
import { ExportLogsInput } from '../log/export/export-logs-input.js';
import { LogExport } from '../log/export/log-export.js';
import { toCriteria } from '../log/filter/criteria.js';
import { LogFilter } from '../log/filter/log-filter.js';
import { LogConnection } from '../log/read/log-connection.js';
import { checkPage, LogOrder, type PageRequest } from '../log/read/page.js';
import { LogStats } from '../log/stats/log-stats.js';
import { LogWriteResult } from '../log/write/log-write-result.js';
import { InclusionProof } from '../seal/proof.js';
import type { ReelContext } from './context.js';
import { Authenticated, GrantedAuthor, GrantedScope, grantedScope, Internal, Mentor } from './directives.js';
import { followLog } from './log-added.js';
import { selectedColumns } from './selected-columns.js';
import { isSelected } from './selection.js';

const WHICH = 'Which entries; none: all that the caller may view.';
const BARE_DATES = 'Of bare dates in the query line.';

@ArgsType()
export class LogsArgs implements PageRequest {
  @Field(() => LogFilter, { nullable: true, description: WHICH })
  filter?: LogFilter | null;

  @Field(() => LogOrder, { defaultValue: LogOrder.NEWEST_FIRST, description: 'By createdAt.' })
  orderBy!: LogOrder;

  @Field(() => Int, { nullable: true, description: 'How many entries, from the beginning or behind after.' })
  first?: number | null;

  @Field(() => String, { nullable: true, description: 'A cursor, as in endCursor: the page behind it.' })
  after?: string | null;

  @Field(() => Int, { nullable: true, description: 'How many entries, up to the end or to before.' })
  last?: number | null;

  @Field(() => String, {
    nullable: true,
    description: 'A cursor, as in startCursor: the page in front of it.',
  })
  before?: string | null;

  @Field(() => Int, { nullable: true, description: 'The number of the page, from 1; first is its size.' })
  page?: number | null;

  @Field(() => String, { defaultValue: 'UTC', description: BARE_DATES })
  timeZone!: string;
}

@Resolver(() => LogEntry)
export class LogResolver {
  @Query(() => LogConnection, {
    description:
      "The tenant's entries, in the order of their ids, whose time is createdAt. timeZone is that of bare dates in the query line. Pages by cursor (first/after, last/before) or by number (first with page, from 1). first and last: 1 to 100, else BAD_USER_INPUT, as are first with last, after with before, and page with a cursor or last; 50 where neither first nor last is given. A clientId outside the caller's scope matches nothing.",
  })
  @Mentor(VIEW, ['ACCOUNT', 'CLIENT'])
  async logs(
    @GrantedScope() scope: Scope,
    @Args(() => LogsArgs) args: LogsArgs,
    @Ctx() { services, pageSizes, now }: ReelContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<LogConnection> {
    const criteria = toCriteria(scope, args.filter, now, args.timeZone);
    const request = checkPage(args, pageSizes);
    const isCounted = isSelected(info, 'totalCount');
    return new LogConnection(
      await services.reader.list(criteria, request, selectedColumns(info), isCounted),
      criteria,
    );
  }

  @Query(() => LogEntry, {
    nullable: true,
    description: "One entry; null where it does not exist in the caller's tenant and scope.",
  })
  @Mentor(VIEW, ['ACCOUNT', 'CLIENT'])
  log(
    @GrantedScope() scope: Scope,
    @Arg('id', () => UUID, { description: "The entry's id." }) id: string,
    @Ctx() { services }: ReelContext,
    @Info() info: GraphQLResolveInfo,
  ): Promise<LogEntry | null> {
    return services.reader.get(scope, id, selectedColumns(info));
  }

  @Query(() => LogStats, { description: 'Counts of the entries that match, in all, by field and over time.' })
  @Mentor(VIEW, ['ACCOUNT', 'CLIENT'])
  logStats(
    @GrantedScope() scope: Scope,
    @Arg('filter', () => LogFilter, { nullable: true, description: WHICH }) filter: LogFilter | null,
    @Arg('timeZone', () => String, {
      defaultValue: 'UTC',
      description:
        'Of days, weeks and buckets, and of bare dates in the query line: a name such as America/Sao_Paulo.',
    })
    timeZone: string,
    @Ctx() { services, now }: ReelContext,
  ): LogStats {
    return new LogStats(services.stats.stats(toCriteria(scope, filter, now, timeZone), timeZone, now));
  }

  @Mutation(() => LogEntry, { description: 'Stores one entry; answered only after it is on disk.' })
  @Authenticated()
  async createLog(
    @Arg('input', () => CreateLogInput, { description: 'The entry.' }) input: CreateLogInput,
    @Ctx() context: ReelContext,
  ): Promise<LogEntry> {
    const author = await context.services.authorizer.author(context.caller);
    if (author.kind === 'person') context.allowance = author.allowance;
    await context.services.authorizer.countBytes(author, bytesOf(input));
    return context.services.reel.create(author, input);
  }

  @Mutation(() => [LogEntry], {
    description: 'Stores 1 to 1,000 entries, all or none; a body over 16 MiB is 413.',
  })
  @Internal()
  createLogs(
    @GrantedAuthor() author: Author,
    @Arg('inputs', () => [CreateLogInput], { description: 'The entries, in order.' })
    inputs: CreateLogInput[],
    @Ctx() { services }: ReelContext,
  ): Promise<LogEntry[]> {
    return services.reel.createMany(author, inputs);
  }

  @Mutation(() => [LogWriteResult], {
    description:
      'Stores 1 to 1,000 entries, each on its own: those that are well in one transaction, and for the others why not; in the order given.',
  })
  @Internal()
  async writeLogs(
    @GrantedAuthor() author: Author,
    @Arg('inputs', () => [CreateLogInput], { description: 'The entries, in order.' })
    inputs: CreateLogInput[],
    @Ctx() { caller, services: { reel, report } }: ReelContext,
  ): Promise<LogWriteResult[]> {
    const reported = (error: unknown) => report(error, caller.requestId);
    return (await reel.writeEach(author, inputs)).map((result) => LogWriteResult.of(result, reported));
  }

  @Mutation(() => LogExport, {
    description:
      "Prepares an export of the current client's entries and answers a link that streams it. As of now: every entry acknowledged before this call is in it (the sequencer is woken and waited for), in sealed order. Nothing is stored on the server. includeProofs with another format than NDJSON: BAD_USER_INPUT.",
  })
  @Mentor(EXPORT, ['CLIENT'])
  async exportLogs(
    @Arg('input', () => ExportLogsInput, { description: 'Which entries, and the form of the file.' })
    input: ExportLogsInput,
    @Ctx() { services, caller, now }: ReelContext,
  ): Promise<LogExport> {
    // @mentor may have granted several clients; an export is of one.
    const scope = await services.authorizer.exportScope(caller);
    const criteria = toCriteria(scope, input.filter, now, input.timeZone);
    return services.exports.prepare(criteria, input, readerOf(caller));
  }

  @Subscription(() => LogEntry, {
    description:
      'Entries as they are sealed, in order and without gaps. after: the last sequence already seen.',
    subscribe: ({ args: { filter, after, timeZone }, context, info }) =>
      followLog(context, toCriteria(grantedScope(info), filter, context.now, timeZone), after ?? null),
  })
  @Mentor(VIEW, ['ACCOUNT', 'CLIENT'])
  logAdded(
    @Root() entry: LogEntry,
    @Arg('filter', () => LogFilter, { nullable: true, description: WHICH }) _filter: LogFilter | null,
    @Arg('after', () => Count, {
      nullable: true,
      description: 'The last sequence already seen; none: from now on.',
    })
    _after: number | null,
    @Arg('timeZone', () => String, { defaultValue: 'UTC', description: BARE_DATES })
    _timeZone: string,
  ): LogEntry {
    return entry;
  }

  @FieldResolver(() => [LogChange], {
    description:
      'What changed, read from data.before and data.after (or data.old and data.new, data.old_values and data.new_values): objects compared by key, down to single values also where the whole object was added or removed (before or after null or absent); arrays by index; in key order; at most 200.',
  })
  changes(@Root() entry: LogEntry): readonly LogChange[] {
    return changesOf(entry.data).listed;
  }

  @FieldResolver(() => Int, { description: 'How many changes there are, changes beyond the 200 included.' })
  changeCount(@Root() entry: LogEntry): number {
    return changesOf(entry.data).count;
  }

  @FieldResolver(() => [LogEntry], {
    description:
      "Other entries with the same requestId that the caller may view, oldest first; first from 1 to 100. Empty for a caller who may view none, a module's credential among them.",
  })
  related(
    @Root() entry: LogEntry,
    @Arg('first', () => Int, { defaultValue: 20, description: 'At most so many, from 1 to 100.' })
    first: number,
    @Ctx() { loaders }: ReelContext,
  ): Promise<LogEntry[]> {
    return loaders.relatedTo(entry, first);
  }

  @FieldResolver(() => InclusionProof, {
    nullable: true,
    description:
      'Proof that this entry is in the sealed log; null until sealed, and for a caller who may not view it.',
  })
  proof(@Root() entry: LogEntry, @Ctx() { loaders }: ReelContext): Promise<InclusionProof | null> {
    return loaders.proofOf(entry);
  }
}

@Resolver(() => LogConnection)
export class LogConnectionResolver {
  @FieldResolver(() => LogCount, {
    description:
      'Counted only when it is selected. Unless exact is asked for, counting may stop at a cap. exact counts in stretches, 60 s in all, then UNAVAILABLE.',
  })
  totalCount(
    @Root() { criteria, total }: LogConnection,
    @Arg('exact', () => Boolean, {
      defaultValue: false,
      description: 'Whether every match is counted.',
    })
    exact: boolean,
    @Ctx() { services }: ReelContext,
  ): LogCount | Promise<LogCount> {
    return total ?? services.reader.count(criteria, exact ? 'exact' : 'cap');
  }
}

/** As JSON; 0 where it is nested too deeply to be written, as is refused next. */
function bytesOf(input: CreateLogInput): number {
  try {
    return Buffer.byteLength(JSON.stringify(input));
  } catch {
    return 0;
  }
}
