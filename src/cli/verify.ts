import type { Command } from 'commander';
import { StartError } from '../errors.js';
import { type Fault, faultLine } from '../verify/fault.js';
import { type CommandContext, exit1, Problem } from './context.js';
import { uuidOption } from './options.js';

interface VerifyOptions {
  tenant?: string;
  checkpoint?: string;
  search?: boolean;
  export?: string;
  stream?: string[];
  key?: string;
  json?: boolean;
}

export function verifyCommand(program: Command, context: CommandContext): void {
  program
    .command('verify')
    .summary("verify a tenant's log, an exported file, or what a stream's receiver kept")
    .description(
      "recompute a tenant's log, check an exported file with proofs, or check what a stream's receiver kept; prints ok with the log's size and root, or a line per fault: its kind, the sequence number and what is wrong",
    )
    .option('--tenant <id>', 'tenant whose stored log to verify', uuidOption)
    .option(
      '--checkpoint <file>',
      'with --tenant: a signed checkpoint kept elsewhere, which the log must extend',
    )
    .option(
      '--search',
      'with --tenant: compute the search index from the entries as well, which takes longer than all else',
    )
    .option('--export <file>', 'NDJSON export with proofs to verify; needs neither database nor server')
    .option(
      '--stream <file...>',
      'batches that a stream with proofs delivered, one a line, or the objects of a bucket; needs neither database nor server',
    )
    .option(
      '--key <file>',
      'with --export or --stream: the public key as PEM, or the verifier keys from /.well-known/reel-keys',
    )
    .option('--json', 'print the result as JSON')
    .addHelpText('after', exit1('a fault was found'))
    .action(async (options: VerifyOptions) => {
      const { tenant, checkpoint, export: file, stream, key } = options;
      if ([tenant, file, stream].filter((each) => each !== undefined).length !== 1)
        throw new StartError('expected one of --tenant ID, --export FILE and --stream FILE…');
      if ((tenant === undefined) !== (key !== undefined))
        throw new StartError('expected --key FILE together with --export FILE or --stream FILE…');
      if (checkpoint !== undefined && tenant === undefined)
        throw new StartError('expected --checkpoint FILE only with --tenant ID');
      if (options.search && tenant === undefined)
        throw new StartError('expected --search only with --tenant ID');
      const faults: Fault[] = [];
      let count = 0;
      const report = (fault: Fault) => {
        count += 1;
        if (options.json) faults.push(fault);
        else {
          context.progress('');
          context.print(options, null, faultLine(fault));
        }
      };
      // Loaded on demand: a file needs nothing of the database.
      const head = await (stream !== undefined
        ? (await import('./verify-stream.js')).verifyStream(stream, key!, report, context)
        : tenant === undefined
          ? (await import('./verify-export.js')).verifyExport(file!, key!, report, context)
          : (await import('./verify-log.js')).verifyStoredLog(
              { tenantId: tenant, noteFile: checkpoint, search: options.search ?? false },
              report,
              context,
            )
      ).finally(() => context.progress(''));
      const { tenantId, size, received } = head;
      const root = head.root.toString('base64');
      const found = { tenantId, size, root, ...(received && { received }), faults };
      if (count === 0)
        context.print(options, { ok: true, ...found }, `ok tenant ${tenantId} size ${size} root ${root}`);
      else {
        if (options.json) context.print(options, { ok: false, ...found }, '');
        const where = received
          ? `what the stream ${received.stream} delivered`
          : tenantId === null
            ? 'the export'
            : `the log of tenant ${tenantId}`;
        throw new Problem(`${count} ${count === 1 ? 'fault' : 'faults'} in ${where}`);
      }
    });
}
