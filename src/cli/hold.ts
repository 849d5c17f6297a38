import { type Command, InvalidArgumentError } from 'commander';
import { StartError } from '../errors.js';
import { addHold, type Hold, listHolds, releaseHold } from '../log/retention/hold.js';
import { Account } from '../log/retention/own-entry.js';
import { EXPECTED_TIME, readTime, type TimeField } from '../query-line/time.js';
import { withOwner } from './database.js';
import { exit1, Finding, type Frame } from './frame.js';
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
      'manage legal holds, which keep entries from cleanup and erasure, as the owner (REEL_MIGRATE_URL)',
    );

  hold
    .command('add')
    .description('put present and future entries on hold; prints the id of the hold')
    .option('--tenant <id>', 'tenant whose entries to hold (required)', uuidOption)
    .option('--reason <text>', 'reason, recorded in the trail (required)', textOption(MOST_REASON))
    .option(
      '--from <time>',
      'only entries created at or after this time: RFC 3339, a date, or -24h',
      time('since'),
    )
    .option(
      '--to <time>',
      'only entries created at or before this time; a bare date includes the whole day',
      time('until'),
    )
    .option('--actor <id>', 'only entries in which this person acted or was acted for', uuidOption)
    .option('--json', 'print the result as JSON')
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
    .option('--tenant <id>', "only this tenant's holds", uuidOption)
    .option('--all', 'include released holds')
    .option('--json', 'print the result as JSON')
    .action(async (options: { tenant?: string; all?: boolean; json?: boolean }) => {
      const holds = await withOwner(frame.config(), (database) =>
        listHolds(database, { tenantId: options.tenant ?? null, released: options.all ?? false }),
      );
      frame.answer(options, holds, holds.map(line).join('\n'));
    });

  hold
    .command('release')
    .description('release a hold')
    .argument('<id>', 'id of the hold, as printed by hold add', uuidOption)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', exit1('there is no such hold'))
    .action(async (id: string, options: { json?: boolean }) => {
      const released = await withOwner(frame.config(), (database) =>
        releaseHold(database, new Account(operator(), 'reel hold release'), id),
      );
      if (released === null) throw new Finding(`expected the id of a hold, got ${id}, which does not exist`);
      frame.answer(options, released.hold, line(released.hold));
      if (!released.isNew) frame.say('it had already been released');
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
