import type { Authorizer } from '../auth/authorize.js';
import type { Config } from '../config/config.js';
import type { Caller } from '../http/request.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import type { ExportService } from '../log/export/export.js';
import type { Criteria } from '../log/filter/criteria.js';
import type { LogReader } from '../log/read/reader.js';
import type { ReadAudit } from '../log/read-audit.js';
import type { ReelService } from '../log/service.js';
import type { StatsService } from '../log/stats/stats.js';
import type { Prover } from '../seal/prover.js';
import { Loaders } from './loaders.js';

/** Follows the sealed order of a tenant. */
export interface Tail {
  /** Entries as they are sealed, from the one after `after` on (null: from now on), in order and without gaps, some at a time. */
  follow(
    caller: Caller,
    criteria: Criteria,
    after: number | null,
  ): AsyncIterable<readonly LogEntry[]> | Promise<AsyncIterable<readonly LogEntry[]>>;
}

/** What the GraphQL room needs of the house. */
export interface Services {
  readonly reel: Pick<ReelService, 'create' | 'createMany'>;
  readonly reader: Pick<LogReader, 'list' | 'count' | 'get' | 'byRequests'>;
  readonly stats: Pick<StatsService, 'stats'>;
  readonly exports: Pick<ExportService, 'prepare'>;
  readonly seal: Prover;
  readonly audit: Pick<ReadAudit, 'viewed'>;
  readonly authorizer: Pick<Authorizer, 'require' | 'viewScope' | 'exportScope' | 'author' | 'internal'>;
  /** null where nobody may subscribe yet. */
  readonly tail: Tail | null;
}

export type PageSizes = Pick<Config, 'defaultPageSize' | 'maxPageSize'>;

/** What a resolver is given: who calls, and what may be asked for them. Made anew for each operation. */
export interface ReelContext {
  readonly caller: Caller;
  /** What the operation's relative times count from. */
  readonly now: Date;
  readonly services: Services;
  readonly loaders: Loaders;
  readonly pageSizes: PageSizes;
}

export const createContext = (caller: Caller, services: Services, pageSizes: PageSizes): ReelContext => ({
  caller,
  now: new Date(),
  services,
  loaders: new Loaders(caller, services),
  pageSizes,
});
