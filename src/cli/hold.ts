import { type Command, InvalidArgumentError } from 'commander';
import { StartError } from '../errors.js';
import { Account } from '../log/account.js';
import { addHold, type Hold, listHolds, releaseHold } from '../log/hold.js';
import { EXPECTED_TIME, readTime, type TimeField } from '../query-line/time.js';
import { withOwner } from './database.js';
import { Finding, type Frame } from './frame.js';
import { operator } from './operator.js';
import { needed, textOption, uuidOption } from './options.js';

interface AddOptions {
  tenant?: string;
  reason?: string;
  from?: string;
  to?: string;
  actor?: string;
  json?: boolean;
}

const MOST_REASON = 1000;

const time = (field: TimeField) => (text: string) => {
  const said = readTime(field, text, new Date());
  if (said === null) throw new InvalidArgumentError(`Expected ${EXPECTED_TIME}.`);
  return said.instant;
};

export function holdCommand(program: Command, frame: Frame): void {
  const hold = program
    .command('hold')
    .description(
      'legal holds: nothing that one covers can be cleaned up or erased (as the owner, REEL_MIGRATE_URL)',
    );

  hold
    .command('add')
    .description('hold entries, there or to come; prints the id of the hold')
    .option('--tenant <id>', 'whose entries', uuidOption)
    .option('--reason <text>', 'why', textOption(MOST_REASON))
    .option('--from <time>', 'only those created at or after; RFC 3339, a date, or -24h', time('since'))
    .option('--to <time>', 'only those created at or before; a bare date is its last instant', time('until'))
    .option('--actor <id>', 'only those of this person, who acted or was acted for', uuidOption)
    .option('--json', 'answer as JSON')
    .action(async (options: AddOptions) => {
      const { from = null, to = null, actor: actorId = null } = options;
      const tenantId = needed(options.tenant, '--tenant <id>');
      const reason = needed(options.reason, '--reason <text>');
      if (from !== null && to !== null && from > to)
        throw new StartError(`--to: expected a time at or after --from, ${from}, got ${to}`);
      const added = await withOwner(frame.config(), (database) =>
        addHold(database, new Account(operator(), 'reel hold add'), { tenantId, reason, from, to, actorId }),
      );
      frame.answer(options, added, added.id);
    });

  hold
    .command('list')
    .description('list holds, oldest first')
    .option('--tenant <id>', "only this tenant's", uuidOption)
    .option('--all', 'released ones too')
    .option('--json', 'answer as JSON')
    .action(async (options: { tenant?: string; all?: boolean; json?: boolean }) => {
      const holds = await withOwner(frame.config(), (database) =>
        listHolds(database, { tenantId: options.tenant ?? null, released: options.all ?? false }),
      );
      frame.answer(options, holds, holds.map(line).join('\n'));
    });

  hold
    .command('release')
    .description('let go what a hold covers')
    .argument('<id>', 'the id that hold add printed', uuidOption)
    .option('--json', 'answer as JSON')
    .action(async (id: string, options: { json?: boolean }) => {
      const released = await withOwner(frame.config(), (database) =>
        releaseHold(database, new Account(operator(), 'reel hold release'), id),
      );
      if (released === null) throw new Finding(`expected the id of a hold, got ${id}, which is none`);
      frame.answer(options, released.hold, line(released.hold));
      if (!released.isNew) frame.say('it had been released before');
    });
}

/** One line a hold, for people. */
const line = ({ id, tenantId, reason, from, to, actorId, createdAt, releasedAt }: Hold): string =>
  [
    id,
    `tenant ${tenantId}`,
    from && `from ${from}`,
    to && `to ${to}`,
    actorId && `actor ${actorId}`,
    `added ${createdAt}`,
    releasedAt && `released ${releasedAt}`,
    reason,
  ]
    .filter(Boolean)
    .join('  ');
