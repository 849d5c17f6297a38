import type { MikroORM } from '@mikro-orm/core';
import { SchemaGenerator, type SqlEntityManager } from '@mikro-orm/postgresql';

/** Tables and functions that `reel migrate` makes. */
const REEL = /^reel_/;

/**
 * MikroORM's schema generator, which leaves alone what `reel migrate` makes: no entity describes its partitions, policies,
 * partial indexes and functions, so MikroORM's own would drop them. A host whose tables stand beside Reel's lists it among
 * the `extensions` of its ORM; what does not begin with `reel_` is generated as ever.
 */
export class ReelSchemaGenerator extends SchemaGenerator {
  static override register(orm: MikroORM): void {
    const options = orm.config.get('schemaGenerator');
    orm.config.set('schemaGenerator', { ...options, skipTables: [...(options.skipTables ?? []), REEL] });
    orm.config.registerExtension(
      '@mikro-orm/schema-generator',
      () => new ReelSchemaGenerator(orm.em as SqlEntityManager),
    );
  }

  /** MikroORM has an option that skips tables, but none that skips functions. */
  override diffToSQL(...[diff, options]: Parameters<SchemaGenerator['diffToSQL']>): string {
    const { newRoutines, changedRoutines, removedRoutines } = diff;
    return super.diffToSQL(
      {
        ...diff,
        newRoutines: withoutReel(newRoutines, ({ name }) => name),
        changedRoutines: withoutReel(changedRoutines, ({ from }) => from.name),
        removedRoutines: withoutReel(removedRoutines, ({ name }) => name),
      },
      options,
    );
  }

  override getDropSchemaSQL(
    options: NonNullable<Parameters<SchemaGenerator['getDropSchemaSQL']>[0]> = {},
  ): Promise<string> {
    const isReel = REEL.test(this.config.get('migrations').tableName ?? '');
    return super.getDropSchemaSQL(isReel ? { ...options, dropMigrationsTable: false } : options);
  }
}

function withoutReel<T>(routines: Record<string, T>, nameOf: (routine: T) => string): Record<string, T> {
  return Object.fromEntries(Object.entries(routines).filter(([, routine]) => !REEL.test(nameOf(routine))));
}
