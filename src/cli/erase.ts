import { type Command, InvalidArgumentError } from 'commander';
import { StartError } from '../errors.js';
import { foldEmail } from '../log/entry/email.js';
import { type Erased, eraseEntries } from '../log/retention/erase.js';
import type { ErasureTarget } from '../log/retention/erasure-target.js';
import { OwnEntries } from '../log/retention/own-entries.js';
import { isEmailAddress } from '../query-line/values.js';
import { type CommandContext, exit1, Problem } from './context.js';
import { withOwner } from './database.js';
import { operator } from './operator.js';
import { actorIdOption, conflicting, required, textOption, uuidOption } from './options.js';

interface EraseOptions {
  tenant?: string;
  actor?: string;
  email?: string;
  entry?: string;
  reason?: string;
  json?: boolean;
}

const MAX_REASON = 1000;
const MAX_EMAIL = 320;

export function eraseCommand(program: Command, context: CommandContext): void {
  program
    .command('erase')
    .description(
      'erase the identity fields and data of entries, as the owner (REEL_MIGRATE_URL); their proofs still hold',
    )
    .option('--tenant <id>', 'tenant whose entries to erase (required)', uuidOption)
    .option(
      '--actor <id>',
      'all entries in which the person with this id acted or was acted for',
      actorIdOption('; an address is erased by --email'),
    )
    .option(
      '--email <address>',
      'all entries of this e-mail address, in any case, with or without an actor id',
      emailOption,
    )
    .option('--entry <id>', 'a single entry', uuidOption)
    .option(
      '--reason <text>',
      'reason, recorded in the trail; must not contain personal data (required)',
      textOption(MAX_REASON),
    )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      exit1(
        "an entry was not erased because it is on hold or one of Reel's own records, or does not exist, or settings of a stream name what was erased",
      ),
    )
    .action(async (options: EraseOptions) => {
      const tenantId = required(options.tenant, '--tenant <id>');
      const reason = required(options.reason, '--reason <text>');
      const target = targetOf(options);
      if ('email' in target && foldEmail(reason).includes(foldEmail(target.email)))
        throw new StartError(
          '--reason: expected a text without personal data, since it stays in the trail, got one with the e-mail address',
        );
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
      if (!options.json && !('entryId' in target)) noteCounts(context, done);
      report(context, tenantId, target, done);
    });
}

function emailOption(text: string): string {
  if (!isEmailAddress(text) || text.length > MAX_EMAIL || /\p{Cc}/u.test(text))
    throw new InvalidArgumentError(`Expected an e-mail address of at most ${MAX_EMAIL} characters.`);
  return text;
}

function targetOf({ actor, email, entry }: EraseOptions): ErasureTarget {
  const given = [
    ...(actor === undefined ? [] : [{ flags: '--actor <id>', target: { actorId: actor } }]),
    ...(email === undefined ? [] : [{ flags: '--email <address>', target: { email } }]),
    ...(entry === undefined ? [] : [{ flags: '--entry <id>', target: { entryId: entry } }]),
  ];
  const [only, ...others] = given;
  if (only === undefined)
    throw new StartError('expected one of --actor <id>, --email <address> and --entry <id>, got none');
  if (others.length > 0) throw conflicting(given.map(({ flags }) => flags));
  return only.target;
}

/** How many of each, where there were any. */
function noteCounts(context: CommandContext, { erased, asActor, onBehalf, records }: Erased): void {
  if (erased > 0) context.note(`${asActor} as actor, ${onBehalf} on behalf of the person`);
  if (records > 0)
    context.note(
      `and ${records} ${records === 1 ? 'record' : 'records'} of reading that named what was erased`,
    );
}

/** Errors: Problem if an entry was left or not found. */
function report(context: CommandContext, tenantId: string, target: ErasureTarget, done: Erased): void {
  if (done.erasedBefore > 0) context.note(`${entries(done.erasedBefore)} had already been erased`);
  const { erased, erasedBefore, onHold, ownAccount, streams } = done;
  if (streams.length > 0) context.note(`change the settings, or remove the stream: ${streams.join(', ')}`);
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
  if (streams.length > 0)
    throw new Problem(
      `not erased: settings of ${streams.length === 1 ? '1 stream' : `${streams.length} streams`} that name what was erased`,
    );
}

const entries = (count: number) => `${count} ${count === 1 ? 'entry' : 'entries'}`;
