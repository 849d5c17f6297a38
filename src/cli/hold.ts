import { type Command, InvalidArgumentError } from 'commander';
import { StartError } from '../errors.js';
import { addHold, type Hold, listHolds, releaseHold } from '../log/retention/hold.js';
import { OwnEntries } from '../log/retention/own-entries.js';
import type { TimeField } from '../query-line/fields.js';
import { EXPECTED_TIME, readTime } from '../query-line/time.js';
import { type CommandContext, exit1, Problem } from './context.js';
import { withOwner } from './database.js';
import { operator } from './operator.js';
import { actorIdOption, required, textOption, uuidOption } from './options.js';

interface AddOptions {
  tenant?: string;
  reason?: string;
  from?: string;
  to?: string;
  actor?: string;
  json?: boolean;
}

const MAX_REASON = 1000;

const time = (field: TimeField) => (text: string) => {
  const parsed = readTime(field, text, { now: new Date(), timeZone: 'UTC' });
  if (parsed === null) throw new InvalidArgumentError(`Expected ${EXPECTED_TIME}.`);
  return parsed.is;
};

export function holdCommand(program: Command, context: CommandContext): void {
  const hold = program
    .command('hold')
    .description(
      'manage legal holds, which keep entries from cleanup and erasure, as the owner (REEL_MIGRATE_URL)',
    );

  hold
    .command('add')
    .description('put present and future entries on hold; prints the id of the hold')
    .option('--tenant <id>', 'tenant whose entries to hold (required)', uuidOption)
    .option('--reason <text>', 'reason, recorded in the trail (required)', textOption(MAX_REASON))
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
    .option(
      '--actor <id>',
      'only entries in which the person with this id acted or was acted for',
      actorIdOption(''),
    )
    .option('--json', 'print the result as JSON')
    .action(async (options: AddOptions) => {
      const { from = null, to = null, actor: actorId = null } = options;
      const tenantId = required(options.tenant, '--tenant <id>');
      const reason = required(options.reason, '--reason <text>');
      if (from !== null && to !== null && from > to)
        throw new StartError(`--to: expected a time at or after --from, ${from}, got ${to}`);
      const added = await withOwner(context.config(), (database) =>
        addHold(database, new OwnEntries(operator(), 'reel hold add'), {
          tenantId,
          reason,
          from,
          to,
          actorId,
        }),
      );
      context.print(options, added, added.id);
    });

  hold
    .command('list')
    .description('list holds, oldest first')
    .option('--tenant <id>', "only this tenant's holds", uuidOption)
    .option('--all', 'include released holds')
    .option('--json', 'print the result as JSON')
    .action(async (options: { tenant?: string; all?: boolean; json?: boolean }) => {
      const holds = await withOwner(context.config(), (database) =>
        listHolds(database, { tenantId: options.tenant ?? null, released: options.all ?? false }),
      );
      context.print(options, holds, holds.map(line).join('\n'));
    });

  hold
    .command('release')
    .description('release a hold')
    .argument('<id>', 'id of the hold, as printed by hold add', uuidOption)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', exit1('there is no such hold'))
    .action(async (id: string, options: { json?: boolean }) => {
      const released = await withOwner(context.config(), (database) =>
        releaseHold(database, new OwnEntries(operator(), 'reel hold release'), id),
      );
      if (released === null) throw new Problem(`expected the id of a hold, got ${id}, which does not exist`);
      context.print(options, released.hold, line(released.hold));
      if (!released.isNew) context.note('it had already been released');
    });
}

/** One line per hold, for people. */
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
