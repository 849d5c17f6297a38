import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Database } from '../database/database.js';
import { connectPool } from '../database/session.js';
import { type ExportRequest, exportContent } from '../log/export/export-content.js';
import { toCriteria } from '../log/filter/criteria.js';
import { LogReader } from '../log/read/reader.js';
import { ReadAudit } from '../log/read-audit.js';
import { ReelService } from '../log/service.js';
import { Writer } from '../log/write/writer.js';
import { exportProofs } from '../seal/proof-bundle.js';
import { StoredProver } from '../seal/stored-prover.js';
import { catchUp } from './catch-up.js';
import { type CommandContext, Problem } from './context.js';
import { withRuntimeRole } from './database.js';
import type { FileOptions } from './export.js';
import { writeOutput } from './export-output.js';
import { filterOf } from './filter-options.js';
import { operator as account } from './operator.js';

const CONNECTIONS = 3;
const HOUR_MS = 3_600_000;

/**
 * Exports a tenant's entries, those without a client too, from the database: everything that was acknowledged before, in
 * sealed order. It is recorded in the tenant's trail before anything is written. Errors: Problem for a tenant without entries.
 */
export async function exportTenant(
  { tenantId, operator }: { tenantId: string; operator: string },
  options: FileOptions,
  context: CommandContext,
): Promise<void> {
  const config = context.config();
  const filter = filterOf({ ...options });
  const criteria = toCriteria({ tenantId, clients: null }, filter, new Date(), options.timeZone);
  await withRuntimeRole(config, async (url) => {
    const database = await connectPool(url, CONNECTIONS);
    try {
      await refuseUnknown(database, tenantId);
      // No caller waits for it, so counting may take as long as it takes.
      const reader = new LogReader(database, undefined, { exactMs: 24 * HOUR_MS, statementMs: HOUR_MS });
      const upTo = await catchUp(database, tenantId, config, context);
      const recordCount = await reader.countSequenced(criteria, upTo);
      const { format, includeData = false, proofs = false, allFields = false, spreadsheet = false } = options;
      const form = { format, includeData, includeProofs: proofs, allFields, spreadsheet };
      const request: ExportRequest = { criteria, ...form, upTo, recordCount };
      const { conditions, start, end } = criteria;
      await recordExport(database, reader, tenantId, operator, {
        ...{ step: 'exported', command: 'reel export', by: account(), exportId: randomUUID() },
        ...{ filter, criteria: { conditions, start, end }, ...form, upTo, recordCount },
      });
      const sources = { reader, proofs: exportProofs(new StoredProver(database)) };
      await writeOutput(exportContent(request, sources), options.output, context);
      report({ tenantId, upTo, recordCount }, options, context);
    } finally {
      await database.close();
    }
  });
}

function report(
  { tenantId, upTo, recordCount: entries }: { tenantId: string; upTo: number; recordCount: number },
  options: FileOptions,
  context: CommandContext,
): void {
  const { output } = options;
  if (output === undefined) context.note(`${entries} entries`);
  else context.print(options, { output, tenantId, entries, upTo }, `${entries} entries in ${output}`);
}

/** A misspelt id would otherwise be an empty file, and the first entry of a tenant that there is not. */
async function refuseUnknown(database: Database, tenantId: string): Promise<void> {
  const found = await database.read(tenantId, (execute) =>
    execute(sql`
      (select from reel_log_entries where tenant_id = ${tenantId}::uuid limit 1) union all
      (select from reel_log_sequence where tenant_id = ${tenantId}::uuid limit 1)`),
  );
  if (found.length === 0)
    throw new Problem(`--tenant: expected a tenant with entries, got ${tenantId}, which has none`);
}

async function recordExport(
  database: Database,
  reader: LogReader,
  tenantId: string,
  operator: string,
  details: Record<string, unknown>,
): Promise<void> {
  const scope = { tenantId, clients: null };
  const writer = new Writer({
    write: (tenantIds, work) => database.write(tenantIds, work),
    find: (_, ids) => reader.byIds(scope, ids),
    ensureMonth: async (createdAt) =>
      void (await database.system(sql`select reel_ensure_month(${createdAt}::timestamptz)`)),
  });
  await new ReadAudit(new ReelService(writer), 'all').exported(
    { id: null, email: null, name: operator, ip: null, agent: null, requestId: randomUUID() },
    scope,
    details,
  );
}
