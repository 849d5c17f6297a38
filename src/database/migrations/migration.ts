/** What runs statements: MikroORM's driver, or what stands for it. */
export interface MigrationDriver {
  execute(sql: string, params: undefined, method: 'all', transaction: unknown): Promise<unknown>;
}

/**
 * One step of the schema. Shaped as MikroORM's own migrations, so that its command line knows them, and not derived from
 * them, since their package would have to stand in every host in the very version of its MikroORM.
 */
export abstract class Migration {
  private readonly queries: string[] = [];
  private transaction: unknown;

  constructor(private readonly driver: MigrationDriver) {}

  abstract up(): Promise<void> | void;

  down(): void {
    throw new Error('expected a migration forwards: none goes back');
  }

  isTransactional(): boolean {
    return true;
  }

  reset(): void {
    this.queries.length = 0;
    this.transaction = undefined;
  }

  setTransactionContext(transaction: unknown): void {
    this.transaction = transaction;
  }

  /** A statement to be carried out once `up` has ended. */
  addSql(sql: string): void {
    this.queries.push(sql);
  }

  /** Carries out a statement now. */
  async execute(sql: string): Promise<Record<string, unknown>[]> {
    return (await this.driver.execute(sql, undefined, 'all', this.transaction)) as Record<string, unknown>[];
  }

  getQueries(): string[] {
    return this.queries;
  }
}
