import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import type { Authorizer } from '../auth/authorize.js';
import type { Caller, Connection } from '../auth/caller.js';
import type { Config } from '../config/config.js';
import type { Call } from '../database/call.js';
import type { Answers } from '../http/answer.js';
import type { Bodies } from '../http/bodies.js';
import type { ExportService } from '../log/export/export.js';
import type { LogReader } from '../log/read/reader.js';
import type { ReadAudit } from '../log/read-audit.js';
import type { ReelService } from '../log/service.js';
import type { StatsService } from '../log/stats/stats.js';

/** What the REST routes depend on. */
export interface RestOptions {
  reel: Pick<ReelService, 'store' | 'batch'>;
  reader: Pick<LogReader, 'list' | 'bringsTotal' | 'count' | 'get'>;
  stats: Pick<StatsService, 'stats'>;
  exports: Pick<ExportService, 'prepare' | 'open'>;
  /** Those that read, for one call; without it they read for nobody in particular. */
  during?: (call: Call) => Pick<RestOptions, 'reader' | 'stats' | 'exports'>;
  /** Of all interfaces of the server; own ones where none are given. */
  answers?: Answers;
  /** Likewise. */
  bodies?: Bodies;
  audit: Pick<ReadAudit, 'viewed'>;
  authorizer: Pick<Authorizer, 'require' | 'author' | 'countBytes' | 'internal' | 'exportScope'>;
  /** Errors: UNAUTHENTICATED for a bad token, before BAD_USER_INPUT (loc header) for a bad tenant or client header. */
  readCaller: (request: FastifyRequest) => Caller | Promise<Caller>;
  /** The connection that fetches an export link, which is its own credential: no other is read. */
  readConnection: (request: FastifyRequest) => Connection;
  config: Pick<Config, 'defaultPageSize' | 'maxPageSize'>;
  log: Pick<FastifyBaseLogger, 'error'>;
  /** Told of each call that is refused: the error's code in lower case, or `http_` and the status where it has none. */
  onRefused?: (reason: string) => void;
  /** Only what export links lead to. */
  isForDownloads?: boolean;
}
