import { StartError } from '../errors.js';
import type { LogExport } from '../log/export/export.js';
import { type CommandContext, Problem } from './context.js';
import type { FileOptions } from './export.js';
import { writeOutput } from './export-output.js';
import { filterOf } from './filter-options.js';
import { recordCount } from './record-count.js';
import { askGraphql, fetchOrFail, type Remote, urlOn } from './remote.js';

const EXPORT_LOGS = `mutation Export($input: ExportLogsInput!) {
  exportLogs(input: $input) { downloadUrl filename recordCount expiresAt }
}`;

/** Downloads a client's entries from a server. Errors: Problem if the file has not the announced number of entries. */
export async function exportRemote(
  remote: Remote,
  options: FileOptions,
  context: CommandContext,
): Promise<void> {
  const { format, includeData = false, proofs = false, allFields = false, spreadsheet = false } = options;
  const input = {
    filter: filterOf({ ...options }),
    format,
    includeData,
    includeProofs: proofs,
    allFields,
    spreadsheet,
    timeZone: options.timeZone,
  };
  const { exportLogs: prepared } = await askGraphql<{ exportLogs: LogExport }>(remote, EXPORT_LOGS, {
    input,
  });
  await writeOutput(
    download(urlOn(remote, prepared.downloadUrl), prepared.recordCount, options, context),
    options.output,
    context,
  );
  const { filename, recordCount: entries, expiresAt } = prepared;
  const { output } = options;
  if (output === undefined) context.note(`${entries} entries`);
  else context.print(options, { output, entries, filename, expiresAt }, `${entries} entries in ${output}`);
}

/** The link is its own credential: the token is not sent. */
async function* download(
  link: string,
  announced: number,
  { format }: FileOptions,
  context: CommandContext,
): AsyncGenerator<Uint8Array> {
  const response = await fetchOrFail(link);
  if (!response.ok || !response.body)
    throw new StartError(`expected the export at ${new URL(link).origin}, got HTTP ${response.status}`);
  const count = recordCount(format);
  let bytes = 0;
  const chunks = response.body[Symbol.asyncIterator]();
  for (;;) {
    const next = await chunks.next().catch((error: Error) => {
      throw new Problem(`the export was cut off after ${bytes} bytes: ${error.message}`);
    });
    if (next.done) break;
    count.add(next.value);
    bytes += next.value.length;
    context.progress(`${Math.round(bytes / 1024)} KiB`);
    yield next.value;
  }
  context.progress('');
  const received = count.total();
  if (received !== announced)
    throw new Problem(`expected ${announced} entries, got ${received ?? 'an incomplete file'}`);
}
