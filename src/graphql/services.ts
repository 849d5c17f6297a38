import type { Authorizer } from '../auth/authorize.js';
import type { ExportService } from '../log/export.js';
import type { ReadAudit } from '../log/read-audit.js';
import type { ReelService } from '../log/reel.service.js';
import type { StatsService } from '../log/stats.js';
import type { Tail } from '../log/tail.js';
import type { SealService } from '../seal/seal.service.js';

/** What resolvers call. */
export interface Services {
  readonly reel: Pick<ReelService, 'create' | 'createMany' | 'list' | 'count' | 'get' | 'byRequest'>;
  readonly stats: Pick<StatsService, 'stats'>;
  readonly exports: Pick<ExportService, 'prepare'>;
  readonly seal: SealService;
  readonly tail: Pick<Tail, 'follow'>;
  readonly audit: Pick<ReadAudit, 'viewed'>;
  readonly authorizer: Pick<Authorizer, 'require' | 'viewScope' | 'exportScope' | 'author' | 'internal'>;
}
