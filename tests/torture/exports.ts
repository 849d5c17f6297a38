/** Exports by link, which must hold every entry of the client that was acknowledged before, once and in order. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Random } from './built.ts';
import { graphql, TryAgain } from './calls.ts';
import type { Fleet } from './fleet.ts';
import type { Ledger } from './ledger.ts';
import type { Tenant } from './tenants.ts';

const PREPARE =
  'mutation ($input: ExportLogsInput!) { exportLogs(input: $input) { downloadUrl recordCount } }';
const GIVE_UP_MS = 300_000;
const DOWNLOAD_MS = 60_000;
/** A link prepared before a clean-up counts entries that are gone by the time it is fetched. */
const CHANGED = 409;

export interface Exporting {
  fleet: Fleet;
  ledger: Ledger;
  directory: string;
}

/** An entry, or with proofs, as the last line, the checkpoint. */
interface Line {
  id: string;
  sequence: number;
  checkpoint?: string;
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Prepares an export of a tenant's first client and fetches it, from whichever servers answer; checked offline by `verify` if asked for. */
export async function exportOnce(
  { fleet, ledger, directory }: Exporting,
  tenant: Tenant,
  verify: boolean,
  random: Random,
): Promise<void> {
  const client = tenant.clients[0]!;
  for (const deadline = Date.now() + GIVE_UP_MS; ; await setTimeout(50)) {
    const known = ledger.of(tenant.id).filter(({ fields }) => fields.client_id === client);
    try {
      const text = await fetchExport(fleet, tenant, random, verify);
      const lines = linesOf(text).map((line) => JSON.parse(line) as Line);
      check(
        ledger,
        tenant,
        lines.filter(({ checkpoint }) => checkpoint === undefined),
        known.map(({ id }) => id),
      );
      if (verify) await verifyOffline(fleet, ledger, join(directory, 'export.ndjson'), text, random);
      return;
    } catch (error) {
      if (!(error instanceof TryAgain)) return ledger.fault(`the export of ${tenant.name}: ${error}`);
      if (Date.now() > deadline)
        return ledger.fault(
          `the export of ${tenant.name} was not had for ${GIVE_UP_MS} ms: ${error.message}`,
        );
    }
  }
}

async function fetchExport(
  fleet: Fleet,
  tenant: Tenant,
  random: Random,
  includeProofs: boolean,
): Promise<string> {
  const url = fleet.pick(random);
  if (url === null) throw new TryAgain('no server');
  const input = { format: 'NDJSON', allFields: true, includeData: true, includeProofs };
  const { exportLogs } = await graphql(url, tenant.exporter, PREPARE, { input });
  const { downloadUrl, recordCount } = exportLogs as { downloadUrl: string; recordCount: number };
  // Any server streams what another has prepared.
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const other = fleet.pick(random);
    const text = other === null ? null : await download(other + downloadUrl);
    if (text === CHANGED) break;
    if (text !== null) {
      const entries = linesOf(text).length - (includeProofs ? 1 : 0);
      if (entries !== recordCount) throw new Error(`${recordCount} counted, ${entries} streamed`);
      return text;
    }
    await setTimeout(200);
  }
  throw new TryAgain('the link could not be fetched whole');
}

/** null where the connection broke or the server is unavailable. */
async function download(url: string): Promise<string | typeof CHANGED | null> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_MS) });
    if (response.ok) return await response.text();
  } catch {
    return null;
  }
  if (response.status === CHANGED) return CHANGED;
  if (response.status === 503 || response.status === 429) return null;
  throw new Error(`${response.status} ${(await response.text()).slice(0, 300)}`);
}

function check(ledger: Ledger, tenant: Tenant, lines: readonly Line[], known: readonly string[]): void {
  const ids = new Set<string>();
  let last = 0;
  for (const line of lines) {
    const { id, sequence } = line;
    if (sequence <= last) throw new Error(`${sequence} stands after ${last}`);
    last = sequence;
    ids.add(id);
    ledger.place(tenant.id, id, sequence);
  }
  if (ids.size !== lines.length) throw new Error('an entry stands in it twice');
  const missing = known.filter((id) => !ids.has(id));
  if (missing.length > 0)
    throw new Error(`${missing.length} acknowledged before are not in it, ${missing[0]} among them`);
}

async function verifyOffline(
  fleet: Fleet,
  ledger: Ledger,
  file: string,
  text: string,
  random: Random,
): Promise<void> {
  const url = fleet.pick(random);
  if (url === null) throw new TryAgain('no server');
  const keys = await fetch(`${url}/.well-known/reel-keys`, { signal: AbortSignal.timeout(DOWNLOAD_MS) })
    .then((response) => (response.ok ? response.text() : null))
    .catch(() => null);
  if (keys === null) throw new TryAgain('no keys');
  await writeFile(file, text);
  await writeFile(`${file}.keys`, keys);
  const { code, stdout, stderr } = await fleet.command(['verify', '--export', file, '--key', `${file}.keys`]);
  if (code !== 0) ledger.fault(`verify --export: ${code} ${stdout.slice(0, 500)} ${stderr.slice(0, 300)}`);
}
