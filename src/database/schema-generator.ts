import type { MikroORM } from '@mikro-orm/core';
import { SchemaGenerator, type SqlEntityManager } from '@mikro-orm/postgresql';

/** Names of Reel's tables and functions. */
const REEL = /^reel_/;

/**
 * MikroORM's schema generator, except that it ignores Reel's tables and functions: no entity describes their partitions,
 * policies, partial indexes and bodies, so MikroORM would drop or alter them. A host with tables in the same schema adds
 * it to the `extensions` of its ORM; everything whose name does not start with `reel_` is managed as usual.
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

  /** MikroORM has an option to skip tables, but none to skip functions. */
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
