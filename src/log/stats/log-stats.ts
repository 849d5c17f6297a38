import 'reflect-metadata';
import { Arg, Field, Int, ObjectType, registerEnumType } from 'type-graphql';
import { CountPrecision } from '../counts/log-count.js';
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

@ObjectType({ description: 'How many entries have one value of a field.', simpleResolvers: true })
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

@ObjectType({ description: 'The entries of one minute, hour, day, week or month.', simpleResolvers: true })
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

/** The numbers of everything that matches. */
export interface LogTotals {
  totalEntries: number;
  entriesBySeverity: FacetCount[];
  entriesByModule: FacetCount[];
  entriesToday: number;
  entriesThisWeek: number;
}

/** The statistics of some entries: whatever is asked for in the same tick is counted together. */
export interface Statistics {
  totals(): Promise<LogTotals>;
  timeline(interval: StatsInterval): Promise<TimeBucket[]>;
  facet(field: LogFacet, first: number): Promise<FacetCount[]>;
  /** How far looking came for all that. */
  reach(): Promise<{ readonly precision: CountPrecision; readonly searchedUntil: string | null }>;
}

@ObjectType({
  description: 'How many entries match, by time and by value. Only what is selected is counted.',
})
export class LogStats {
  constructor(private readonly statistics: Statistics) {}

  @Field(() => CountPrecision, {
    description:
      'AT_LEAST where looking stopped at its budget, which the whole logStats shares: every figure then covers what was looked at.',
  })
  async precision(): Promise<CountPrecision> {
    return (await this.statistics.reach()).precision;
  }

  @Field(() => DateTime, { nullable: true, description: 'How far it got, where it stopped; else null.' })
  async searchedUntil(): Promise<string | null> {
    return (await this.statistics.reach()).searchedUntil;
  }

  @Field(() => Count, { description: 'All that match.' })
  async totalEntries(): Promise<number> {
    return (await this.statistics.totals()).totalEntries;
  }

  @Field(() => [FacetCount], { description: 'From mild to grave, only those that occur.' })
  async entriesBySeverity(): Promise<FacetCount[]> {
    return (await this.statistics.totals()).entriesBySeverity;
  }

  @Field(() => [FacetCount], { description: 'The most frequent first.' })
  async entriesByModule(): Promise<FacetCount[]> {
    return (await this.statistics.totals()).entriesByModule;
  }

  @Field(() => Count, { description: 'Since midnight in the time zone asked for.' })
  async entriesToday(): Promise<number> {
    return (await this.statistics.totals()).entriesToday;
  }

  @Field(() => Count, { description: 'Since Monday midnight in the time zone asked for.' })
  async entriesThisWeek(): Promise<number> {
    return (await this.statistics.totals()).entriesThisWeek;
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
    return this.statistics.timeline(interval);
  }

  @Field(() => [FacetCount], {
    description:
      "The most frequent values of one field, leaving out the filter's own condition on it (for ACTOR both actorIds and actorEmail); first from 1 to 100.",
  })
  facet(
    @Arg('field', () => LogFacet, { description: 'The field whose values are counted.' }) field: LogFacet,
    @Arg('first', () => Int, { defaultValue: 10, description: 'At most so many values, from 1 to 100.' })
    first: number,
  ): Promise<FacetCount[]> {
    return this.statistics.facet(field, first);
  }
}
