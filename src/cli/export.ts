import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { StartError } from '../errors.js';
import type { LogExport } from '../log/export/export.js';
import { LogExportFormat } from '../log/export/export-logs-input.js';
import { type CommandContext, exit1, Problem } from './context.js';
import { filterOf, filterOptions } from './filter-options.js';
import { uuidOption } from './options.js';
import { recordCount } from './record-count.js';
import { askGraphql, fetchOrFail, type RemoteOptions, remoteOf, urlOn } from './remote.js';

interface ExportOptions extends RemoteOptions {
  format: LogExportFormat;
  includeData?: boolean;
  includeProofs?: boolean;
  output?: string;
  json?: boolean;
  timeZone?: string;
}

const EXPORT_LOGS = `mutation Export($input: ExportLogsInput!) {
  exportLogs(input: $input) { downloadUrl filename recordCount expiresAt }
}`;

export function exportCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('export')
    .description("download a client's entries from a server to stdout or a file")
    .option('--url <url>', 'URL of the server (default: REEL_URL)')
    .option('--token <token>', 'token of a person who may export (default: REEL_TOKEN)')
    .option('--tenant <id>', 'tenant; required for a person who belongs to several', uuidOption)
    .option(
      '--client <id>',
      'client whose entries to export; required for a person who may export several',
      uuidOption,
    )
    .addOption(
      new Option('--format <format>', 'csv, json or ndjson')
        .default(LogExportFormat.CSV, 'csv')
        .argParser(formatOption),
    )
    .option('--include-data', 'include the data of each entry')
    .option('--include-proofs', 'include what is needed to check each entry offline; ndjson only')
    .option('--output <file>', 'file to write; it appears only once it is complete (default: stdout)')
    .option('--json', 'with --output: print what was written as JSON')
    .addHelpText('after', exit1('the download was cut off, or has another number of entries than announced'));
  filterOptions(command).action(async (options: ExportOptions) => {
    context.config();
    if (options.json && options.output === undefined)
      throw new StartError('--json: expected --output FILE as well, since the export itself goes to stdout');
    const remote = remoteOf(options, context);
    const { format, includeData = false, includeProofs = false, timeZone } = options;
    const input = { filter: filterOf({ ...options }), format, includeData, includeProofs, timeZone };
    const { exportLogs: prepared } = await askGraphql<{ exportLogs: LogExport }>(remote, EXPORT_LOGS, {
      input,
    });
    await download(urlOn(remote, prepared.downloadUrl), prepared, options, context);
    const { output } = options;
    if (output === undefined) context.note(`${prepared.recordCount} entries`);
    else {
      const { filename, recordCount: entries, expiresAt } = prepared;
      context.print(options, { output, entries, filename, expiresAt }, `${entries} entries in ${output}`);
    }
  });
}

/** The link is its own credential: the token is not sent. Errors: Problem if the file has not the announced number of entries. */
async function download(
  link: string,
  prepared: LogExport,
  { format, output }: ExportOptions,
  context: CommandContext,
): Promise<void> {
  const response = await fetchOrFail(link);
  if (!response.ok || !response.body)
    throw new StartError(`expected the export at ${new URL(link).origin}, got HTTP ${response.status}`);
  const count = recordCount(format);
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      count.add(chunk);
      bytes += chunk.length;
      context.progress(`${Math.round(bytes / 1024)} KiB`);
      yield chunk;
    }
  };
  const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
  const draft = output === undefined ? null : `${output}.part`;
  try {
    await pipeline(body, counted, draft === null ? writeAll(process.stdout) : createWriteStream(draft)).catch(
      (error) => {
        if (draft !== null && (error as { path?: string }).path === draft)
          throw new StartError(
            `--output: expected a writable file, got ${output}: ${(error as Error).message}`,
          );
        throw new Problem(`the export was cut off after ${bytes} bytes: ${(error as Error).message}`);
      },
    );
    context.progress('');
    const received = count.total();
    if (received !== prepared.recordCount)
      throw new Problem(`expected ${prepared.recordCount} entries, got ${received ?? 'an incomplete file'}`);
    if (draft !== null) await rename(draft, output!);
  } finally {
    if (draft !== null) await rm(draft, { force: true });
  }
}

/** Writes everything to stdout without closing it. */
const writeAll =
  (stdout: NodeJS.WriteStream) =>
  async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const chunk of chunks)
      if (!stdout.write(chunk)) await new Promise((drained) => stdout.once('drain', drained));
  };

function formatOption(text: string): LogExportFormat {
  const format = Object.values(LogExportFormat).find((each) => each === text.toUpperCase());
  if (!format) throw new InvalidArgumentError('Expected one of csv, json, ndjson.');
  return format;
}
