import type { Command } from 'commander';
import { StartError } from '../errors.js';
import { type Fault, faultLine } from '../verify/fault.js';
import { Finding, type Frame } from './frame.js';
import { uuidOption } from './options.js';

interface VerifyOptions {
  tenant?: string;
  checkpoint?: string;
  export?: string;
  key?: string;
  json?: boolean;
}

export function verifyCommand(program: Command, frame: Frame): void {
  program
    .command('verify')
    .description(
      "recompute a tenant's log, or check an exported file with proofs, and name everything that is wrong",
    )
    .option('--tenant <id>', 'whose stored log', uuidOption)
    .option(
      '--checkpoint <file>',
      'with --tenant: a signed note that was kept outside, which the log must extend',
    )
    .option('--export <file>', 'an NDJSON export with proofs; needs no database and no server')
    .option('--key <file>', 'with --export: the public key as PEM, or what /.well-known/reel-keys answered')
    .option('--json', 'answer as JSON')
    .action(async (options: VerifyOptions) => {
      const { tenant, checkpoint, export: file, key } = options;
      if ((tenant === undefined) === (file === undefined))
        throw new StartError('expected either --tenant ID or --export FILE');
      if ((file === undefined) !== (key === undefined))
        throw new StartError('expected --export FILE and --key FILE together');
      if (checkpoint !== undefined && tenant === undefined)
        throw new StartError('expected --checkpoint FILE with --tenant ID');
      const faults: Fault[] = [];
      let found = 0;
      const report = (fault: Fault) => {
        found += 1;
        if (options.json) faults.push(fault);
        else {
          frame.progress('');
          frame.answer(options, null, faultLine(fault));
        }
      };
      // Each when it is asked for: a file needs nothing of the database.
      const verdict = await (tenant === undefined
        ? (await import('./verify-file.js')).verifyFile(file!, key!, report, frame)
        : (await import('./verify-stored.js')).verifyStored(tenant, checkpoint, report, frame)
      ).finally(() => frame.progress(''));
      const { tenantId, size } = verdict;
      const root = verdict.root.toString('base64');
      const isWell = found === 0;
      if (isWell)
        frame.answer(
          options,
          { ok: true, tenantId, size, root, faults },
          `ok tenant ${tenantId} size ${size} root ${root}`,
        );
      else {
        if (options.json) frame.answer(options, { ok: false, tenantId, size, root, faults }, '');
        throw new Finding(`${found} ${found === 1 ? 'fault' : 'faults'} in the log of tenant ${tenantId}`);
      }
    });
}
