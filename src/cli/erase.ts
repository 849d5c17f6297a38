import type { Command } from 'commander';
import { StartError } from '../errors.js';
import { type Erased, type ErasureOf, eraseEntries } from '../log/retention/erase.js';
import { Account } from '../log/retention/own-entry.js';
import { withOwner } from './database.js';
import { Finding, type Frame } from './frame.js';
import { operator } from './operator.js';
import { needed, textOption, uuidOption } from './options.js';

interface EraseOptions {
  tenant?: string;
  actor?: string;
  entry?: string;
  reason?: string;
  json?: boolean;
}

const MOST_REASON = 1000;

export function eraseCommand(program: Command, frame: Frame): void {
  program
    .command('erase')
    .description(
      'blank identity fields and data of entries, as the owner (REEL_MIGRATE_URL); proofs still hold',
    )
    .option('--tenant <id>', 'whose trail', uuidOption)
    .option('--actor <id>', 'every entry of what this person did', uuidOption)
    .option('--entry <id>', 'this entry', uuidOption)
    .option('--reason <text>', 'why, for the entry that says so; no personal data', textOption(MOST_REASON))
    .option('--json', 'answer as JSON')
    .action(async (options: EraseOptions) => {
      const tenantId = needed(options.tenant, '--tenant <id>');
      const reason = needed(options.reason, '--reason <text>');
      const of = erasureOf(options);
      const done = await withOwner(frame.config(), (database) =>
        eraseEntries(database, {
          tenantId,
          of,
          reason,
          account: new Account(operator(), 'reel erase'),
          onErased: (sofar) => frame.progress(`${sofar} entries erased`),
        }),
      ).finally(() => frame.progress(''));
      frame.answer(options, { tenantId, ...of, ...done }, `erased ${entries(done.erased)}`);
      tell(frame, tenantId, of, done);
    });
}

function erasureOf({ actor, entry }: EraseOptions): ErasureOf {
  if (actor !== undefined && entry === undefined) return { actorId: actor };
  if (entry !== undefined && actor === undefined) return { entryId: entry };
  throw new StartError(
    `expected one of --actor <id> and --entry <id>, got ${actor === undefined ? 'neither' : 'both'}`,
  );
}

/** Errors: Finding where something was refused or not found. */
function tell(frame: Frame, tenantId: string, of: ErasureOf, done: Erased): void {
  if (done.erasedBefore > 0) frame.say(`${entries(done.erasedBefore)} had been erased before`);
  if (done.onBehalf > 0)
    frame.say(
      `${entries(done.onBehalf)} made on behalf of this person carry somebody else's identity and stay; --entry erases them`,
    );
  const { erased, erasedBefore, onHold, ownAccount } = done;
  if (onHold > 0)
    throw new Finding(`${entries(onHold)} on hold, not erased; reel hold list --tenant ${tenantId} says why`);
  if (ownAccount > 0)
    throw new Finding(
      `${entries(ownAccount)} of Reel's own account of holds, removals and erasures, not erased`,
    );
  if ('entryId' in of && erased + erasedBefore === 0)
    throw new Finding(
      `--entry: expected an entry of tenant ${tenantId}, got ${of.entryId}, which it has not`,
    );
}

const entries = (count: number) => `${count} ${count === 1 ? 'entry' : 'entries'}`;
