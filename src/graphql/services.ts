import type { Authorizer } from '../auth/authorize.js';
import type { Call } from '../database/call.js';
import type { RegisteredActions } from '../log/actions/registry.js';
import type { ExportService } from '../log/export/export.js';
import type { LogReader } from '../log/read/reader.js';
import type { Tail } from '../log/read/tail.js';
import type { ReadAudit } from '../log/read-audit.js';
import type { ReelService } from '../log/service.js';
import type { StatsService } from '../log/stats/stats.js';
import type { ViewService } from '../log/views/service.js';
import type { Prover } from '../seal/prover.js';
import type { StreamService } from '../stream/service.js';

/** What resolvers call. */
export interface Services {
  /** Logs an error that is not the caller's, with the request's id, and answers the id under which the log has it. */
  readonly report: (error: unknown, requestId: string) => string;
  readonly reel: Pick<ReelService, 'create' | 'createMany' | 'writeEach'>;
  readonly reader: Pick<LogReader, 'list' | 'count' | 'get' | 'byRequests'>;
  readonly stats: Pick<StatsService, 'stats'>;
  readonly exports: Pick<ExportService, 'prepare'>;
  readonly seal: Prover;
  readonly actions: Pick<RegisteredActions, 'list' | 'register'>;
  readonly streams: Pick<
    StreamService,
    | 'list'
    | 'get'
    | 'create'
    | 'update'
    | 'pause'
    | 'resume'
    | 'replay'
    | 'test'
    | 'retryParked'
    | 'parked'
    | 'remove'
  >;
  readonly views: Pick<ViewService, 'list' | 'save' | 'remove'>;
  readonly tail: Pick<Tail, 'follow'>;
  readonly audit: Pick<ReadAudit, 'viewed'>;
  readonly authorizer: Pick<
    Authorizer,
    | 'require'
    | 'viewScope'
    | 'exportScope'
    | 'author'
    | 'countBytes'
    | 'countViewChange'
    | 'internal'
    | 'authenticated'
    | 'standings'
  >;
  /** Those that read, for one call; without it they read for nobody in particular. */
  readonly during?: (call: Call) => Pick<Services, 'reader' | 'stats' | 'exports' | 'seal'>;
}
