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
  key?: string;
  json?: boolean;
}

export function verifyCommand(program: Command, context: CommandContext): void {
  program
    .command('verify')
    .summary("verify a tenant's log or an exported file")
    .description(
      "recompute a tenant's log, or check an exported file with proofs; prints ok with the log's size and root, or a line per fault: its kind, the sequence number and what is wrong",
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
      '--key <file>',
      'with --export: the public key as PEM, or the verifier keys from /.well-known/reel-keys',
    )
    .option('--json', 'print the result as JSON')
    .addHelpText('after', exit1('a fault was found'))
    .action(async (options: VerifyOptions) => {
      const { tenant, checkpoint, export: file, key } = options;
      if ((tenant === undefined) === (file === undefined))
        throw new StartError('expected either --tenant ID or --export FILE');
      if ((file === undefined) !== (key === undefined))
        throw new StartError('expected --export FILE and --key FILE together');
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
      const head = await (tenant === undefined
        ? (await import('./verify-export.js')).verifyExport(file!, key!, report, context)
        : (await import('./verify-log.js')).verifyStoredLog(
            { tenantId: tenant, noteFile: checkpoint, search: options.search ?? false },
            report,
            context,
          )
      ).finally(() => context.progress(''));
      const { tenantId, size } = head;
      const root = head.root.toString('base64');
      if (count === 0)
        context.print(
          options,
          { ok: true, tenantId, size, root, faults },
          `ok tenant ${tenantId} size ${size} root ${root}`,
        );
      else {
        if (options.json) context.print(options, { ok: false, tenantId, size, root, faults }, '');
        throw new Problem(
          `${count} ${count === 1 ? 'fault' : 'faults'} in ${tenantId === null ? 'the export' : `the log of tenant ${tenantId}`}`,
        );
      }
    });
}
