import { type Command, InvalidArgumentError, Option } from 'commander';
import { StartError } from '../errors.js';
import { LogExportFormat } from '../log/export/export-logs-input.js';
import { type CommandContext, exit1, exitOnInterrupt } from './context.js';
import { exportRemote } from './export-remote.js';
import { exportTenant } from './export-tenant.js';
import { filterOptions } from './filter-options.js';
import { conflicting, required, textOption, uuidOption } from './options.js';
import { type RemoteOptions, remoteOf } from './remote.js';

/** How the file is to be, of either way to make it. */
export interface FileOptions {
  format: LogExportFormat;
  includeData?: boolean;
  proofs?: boolean;
  allFields?: boolean;
  spreadsheet?: boolean;
  /** Of times without an offset in the query line. */
  timeZone?: string;
  output?: string;
  json?: boolean;
}

interface ExportOptions extends RemoteOptions, FileOptions {
  operator?: string;
  includeProofs?: boolean;
}

const MAX_OPERATOR = 255;

export function exportCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('export')
    .summary("export a client's entries from a server, or a whole tenant from its database")
    .description(
      "export entries to stdout or a file: a client's from a server (--url, --token), or as an operator a whole tenant's, those without a client too, from its database (--tenant, --operator), as the server's role (REEL_DATABASE_URL)",
    )
    .option('--url <url>', 'URL of the server (default: REEL_URL)')
    .option('--token <token>', 'token of a person who may export (default: REEL_TOKEN)')
    .option(
      '--tenant <id>',
      'tenant; required with --operator, and for a person who belongs to several',
      uuidOption,
    )
    .option(
      '--client <id>',
      'client whose entries to export; required for a person who may export several',
      uuidOption,
    )
    .option(
      '--operator <name>',
      "who exports the whole tenant; recorded in the tenant's trail before anything is written",
      textOption(MAX_OPERATOR),
    )
    .addOption(
      new Option('--format <format>', 'csv, json or ndjson')
        .default(LogExportFormat.CSV, 'csv, with --proofs ndjson')
        .argParser(formatOption),
    )
    .option('--include-data', 'include the data of each entry')
    .option('--proofs', 'include what is needed to check each entry offline; ndjson only')
    .addOption(new Option('--include-proofs', 'the same as --proofs').hideHelp())
    .option('--all-fields', "every field that an entry has, instead of the first edition's columns")
    .option('--spreadsheet', 'a byte order mark and semicolons, as spreadsheets expect; csv only')
    .option('--output <file>', 'file to write; it appears only once it is complete (default: stdout)')
    .option('--json', 'with --output: print what was written as JSON')
    .addHelpText(
      'after',
      exit1(
        'the download was cut off, or has another number of entries than announced; or the tenant has no entries',
      ),
    );
  filterOptions(command).action(async (options: ExportOptions) => {
    using _interrupt = exitOnInterrupt();
    const file = fileOptions(options, command);
    if (options.operator === undefined && (options.url ?? context.remote().url) === null)
      throw new StartError(
        'expected --url (or REEL_URL) to export from a server, or --operator <name> to export from the database, got neither',
      );
    if (options.operator === undefined)
      return await exportRemote(remoteOf(options, context), { ...options, ...file }, context);
    for (const given of ['url', 'token'] as const)
      if (options[given] !== undefined) throw conflicting(['--operator <name>', `--${given} <${given}>`]);
    if (options.client !== undefined)
      throw new StartError(
        '--client: expected none with --operator, which exports a whole tenant; --client-id narrows it',
      );
    const tenantId = required(options.tenant, '--tenant <id>');
    return await exportTenant({ tenantId, operator: options.operator }, { ...options, ...file }, context);
  });
}

/** Errors: StartError for options that contradict each other. */
function fileOptions(options: ExportOptions, command: Command): FileOptions {
  const { includeProofs, output, json } = options;
  const proofs = options.proofs ?? includeProofs ?? false;
  const isFormatGiven = command.getOptionValueSource('format') !== 'default';
  const format = proofs && !isFormatGiven ? LogExportFormat.NDJSON : options.format;
  const shown = `--format ${format.toLowerCase()}`;
  if (proofs && format !== LogExportFormat.NDJSON)
    throw new StartError(`--proofs: expected --format ndjson, got ${shown}`);
  if (options.spreadsheet && format !== LogExportFormat.CSV)
    throw new StartError(
      `--spreadsheet: expected --format csv, got ${isFormatGiven ? shown : '--proofs, which is ndjson'}`,
    );
  if (json && output === undefined)
    throw new StartError('--json: expected --output FILE as well, since the export itself goes to stdout');
  return { ...options, format, proofs };
}

function formatOption(text: string): LogExportFormat {
  const format = Object.values(LogExportFormat).find((each) => each === text.toUpperCase());
  if (!format) throw new InvalidArgumentError('Expected one of csv, json, ndjson.');
  return format;
}
