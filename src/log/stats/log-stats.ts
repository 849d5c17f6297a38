import 'reflect-metadata';
import { Arg, Field, Int, ObjectType, registerEnumType } from 'type-graphql';
import { Count, DateTime } from '../entry/scalars.js';

export enum StatsInterval {
  MINUTE = 'MINUTE',
  HOUR = 'HOUR',
  DAY = 'DAY',
  WEEK = 'WEEK',
  MONTH = 'MONTH',
}
registerEnumType(StatsInterval, {
  name: 'StatsInterval',
  description: 'How long each bucket of a timeline is, in the time zone asked for.',
  valuesConfig: {
    MINUTE: { description: 'A minute of the clock.' },
    HOUR: { description: 'An hour of the clock.' },
    DAY: { description: 'From midnight to midnight.' },
    WEEK: { description: 'From Monday to Monday.' },
    MONTH: { description: 'A calendar month.' },
  },
});

export enum LogFacet {
  MODULE = 'MODULE',
  ACTION = 'ACTION',
  SEVERITY = 'SEVERITY',
  ACTOR = 'ACTOR',
  RESOURCE_TYPE = 'RESOURCE_TYPE',
  CLIENT = 'CLIENT',
  OUTCOME = 'OUTCOME',
  ORIGIN = 'ORIGIN',
}
registerEnumType(LogFacet, {
  name: 'LogFacet',
  description: 'The fields whose most frequent values can be asked for.',
  valuesConfig: {
    MODULE: { description: 'The module that wrote the entry.' },
    ACTION: { description: 'What was done.' },
    SEVERITY: { description: 'How grave it is.' },
    ACTOR: { description: "Who acted: by the actor's id, else by e-mail address, else by name." },
    RESOURCE_TYPE: { description: 'What kind of thing it was done to.' },
    CLIENT: { description: 'The client of the tenant that the entry belongs to.' },
    OUTCOME: { description: 'How it ended; null where the module did not say.' },
    ORIGIN: { description: "Whether a module or a person's browser reported it." },
  },
});

@ObjectType({ description: 'How many entries have one value of a field.' })
export class FacetCount {
  @Field(() => String, {
    nullable: true,
    description:
      "Null gathers the entries that have none. For ACTOR: the actor's id, else the e-mail address in lower case, else the name.",
  })
  key!: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'What a person calls it, where known: for ACTOR the newest name or e-mail address, for CLIENT its name.',
  })
  label!: string | null;

  @Field(() => Count, { description: 'Entries with this value.' })
  count!: number;
}

@ObjectType({ description: 'The entries of one minute, hour, day, week or month.' })
export class TimeBucket {
  @Field(() => DateTime, { description: 'Inclusive.' })
  start!: string;

  @Field(() => DateTime, { description: 'Exclusive.' })
  end!: string;

  @Field(() => Count, { description: 'Entries stored in this time.' })
  count!: number;

  @Field(() => [FacetCount], { description: 'From mild to grave, only those that occur.' })
  bySeverity!: FacetCount[];
}

/** What is always counted. */
export interface LogTotals {
  totalEntries: number;
  entriesBySeverity: FacetCount[];
  entriesByModule: FacetCount[];
  entriesToday: number;
  entriesThisWeek: number;
}

/** What is counted only when it is selected. */
export interface LogBreakdown {
  timeline(interval: StatsInterval): Promise<TimeBucket[]>;
  facet(field: LogFacet, first: number): Promise<FacetCount[]>;
}

@ObjectType()
export class LogStats implements LogTotals {
  @Field(() => Count)
  readonly totalEntries: number;

  @Field(() => [FacetCount], { description: 'From mild to grave, only those that occur.' })
  readonly entriesBySeverity: FacetCount[];

  @Field(() => [FacetCount], { description: 'The most frequent first.' })
  readonly entriesByModule: FacetCount[];

  @Field(() => Count, { description: 'Since midnight in the time zone asked for.' })
  readonly entriesToday: number;

  @Field(() => Count, { description: 'Since Monday midnight in the time zone asked for.' })
  readonly entriesThisWeek: number;

  constructor(
    totals: LogTotals,
    private readonly breakdown: LogBreakdown,
  ) {
    this.totalEntries = totals.totalEntries;
    this.entriesBySeverity = totals.entriesBySeverity;
    this.entriesByModule = totals.entriesByModule;
    this.entriesToday = totals.entriesToday;
    this.entriesThisWeek = totals.entriesThisWeek;
  }

  @Field(() => [TimeBucket], {
    description:
      "Counts over time, in logStats' timeZone, whole buckets from the one that holds startDate (else the first match) to the one that holds endDate (else the last match). Empty buckets are present. More than 1,000: BAD_USER_INPUT that names a coarser interval.",
  })
  timeline(
    @Arg('interval', () => StatsInterval, {
      defaultValue: StatsInterval.DAY,
      description: 'How long each bucket is.',
    })
    interval: StatsInterval,
  ): Promise<TimeBucket[]> {
    return this.breakdown.timeline(interval);
  }

  @Field(() => [FacetCount], {
    description:
      "The most frequent values of one field, leaving out the filter's own condition on it (for ACTOR both actorIds and actorEmail); first from 1 to 100.",
  })
  facet(
    @Arg('field', () => LogFacet) field: LogFacet,
    @Arg('first', () => Int, { defaultValue: 10 }) first: number,
  ): Promise<FacetCount[]> {
    return this.breakdown.facet(field, first);
  }
}
