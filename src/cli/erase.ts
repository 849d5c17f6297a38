import type { Command } from 'commander';
import { StartError } from '../errors.js';
import { type Erased, type ErasureTarget, eraseEntries } from '../log/retention/erase.js';
import { OwnEntries } from '../log/retention/own-entries.js';
import { type CommandContext, exit1, Problem } from './context.js';
import { withOwner } from './database.js';
import { operator } from './operator.js';
import { required, textOption, uuidOption } from './options.js';

interface EraseOptions {
  tenant?: string;
  actor?: string;
  entry?: string;
  reason?: string;
  json?: boolean;
}

const MAX_REASON = 1000;

export function eraseCommand(program: Command, context: CommandContext): void {
  program
    .command('erase')
    .description(
      'erase the identity fields and data of entries, as the owner (REEL_MIGRATE_URL); their proofs still hold',
    )
    .option('--tenant <id>', 'tenant whose entries to erase (required)', uuidOption)
    .option('--actor <id>', 'all entries of which this person is the actor', uuidOption)
    .option('--entry <id>', 'a single entry', uuidOption)
    .option(
      '--reason <text>',
      'reason, recorded in the trail; must not contain personal data (required)',
      textOption(MAX_REASON),
    )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      exit1("an entry was not erased because it is on hold or one of Reel's own records, or does not exist"),
    )
    .action(async (options: EraseOptions) => {
      const tenantId = required(options.tenant, '--tenant <id>');
      const reason = required(options.reason, '--reason <text>');
      const target = targetOf(options);
      const done = await withOwner(context.config(), (database) =>
        eraseEntries(database, {
          tenantId,
          target,
          reason,
          ownEntries: new OwnEntries(operator(), 'reel erase'),
          onErased: (total) => context.progress(`${total} entries erased`),
        }),
      ).finally(() => context.progress(''));
      context.print(options, { tenantId, ...target, ...done }, `erased ${entries(done.erased)}`);
      report(context, tenantId, target, done);
    });
}

function targetOf({ actor, entry }: EraseOptions): ErasureTarget {
  if (actor !== undefined && entry === undefined) return { actorId: actor };
  if (entry !== undefined && actor === undefined) return { entryId: entry };
  throw new StartError(
    `expected one of --actor <id> and --entry <id>, got ${actor === undefined ? 'neither' : 'both'}`,
  );
}

/** Errors: Problem if an entry was left or not found. */
function report(context: CommandContext, tenantId: string, target: ErasureTarget, done: Erased): void {
  if (done.erasedBefore > 0) context.note(`${entries(done.erasedBefore)} had already been erased`);
  if (done.onBehalf > 0)
    context.note(
      `${entries(done.onBehalf)} made on behalf of this person carry someone else's identity and were not erased; --entry erases them`,
    );
  const { erased, erasedBefore, onHold, ownAccount } = done;
  if (onHold > 0)
    throw new Problem(`not erased: ${entries(onHold)} on hold; see reel hold list --tenant ${tenantId}`);
  if (ownAccount > 0)
    throw new Problem(
      `not erased: ${entries(ownAccount)} in which Reel records holds, removals and erasures`,
    );
  if ('entryId' in target && erased + erasedBefore === 0)
    throw new Problem(
      `--entry: expected an entry of tenant ${tenantId}, got ${target.entryId}, which is not one`,
    );
}

const entries = (count: number) => `${count} ${count === 1 ? 'entry' : 'entries'}`;
