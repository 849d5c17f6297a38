/** What was changed of an entity, in a transaction that is committed. */
export interface EntityChange {
  type: 'create' | 'update' | 'delete';
  /** The entity's class. */
  name: string;
  entity: object;
  /** Its primary key; of several columns a list. */
  id: unknown;
  /** Of an update what differs alone. */
  data: { before?: Record<string, unknown>; after?: Record<string, unknown> };
}

interface EntityManager {
  getTransactionContext(): object | undefined;
}

interface EventArgs {
  em: EntityManager;
  changeSet?:
    | {
        type: string;
        entity: object & { __helper?: { __originalEntityData?: object | undefined } };
        payload: object;
        originalEntity?: object | undefined;
        meta: { className: string };
        getPrimaryKey(): unknown;
      }
    | undefined;
}

interface TransactionArgs {
  em: EntityManager;
  transaction?: object | undefined;
}

/**
 * A subscriber for MikroORM 7, which tells of each entity that was created, updated or deleted by a flush, once its
 * transaction is committed; of one that is rolled back it tells nothing. Its errors are warned of, and end nothing.
 */
export function entityChanges(record: (change: EntityChange) => void) {
  const changes = new WeakMap<object, EntityChange[]>();
  /** Of a savepoint, the transaction around it. */
  const around = new WeakMap<object, object>();

  function tell(change: EntityChange): void {
    try {
      record(change);
    } catch (error) {
      process.emitWarning(error as Error);
    }
  }

  function collect({ em, changeSet }: EventArgs): void {
    if (!changeSet) return;
    const change = changeOf(changeSet);
    const transaction = em.getTransactionContext();
    if (transaction) changes.set(transaction, [...(changes.get(transaction) ?? []), change]);
    else tell(change);
  }

  return {
    afterCreate: collect,
    afterUpdate: collect,
    // Afterwards it is no longer known what it was.
    beforeDelete: collect,
    beforeTransactionStart({ em, transaction }: TransactionArgs): void {
      if (transaction) around.set(em, transaction);
    },
    afterTransactionStart({ em, transaction }: TransactionArgs): void {
      const outer = around.get(em);
      if (transaction && outer) around.set(transaction, outer);
      around.delete(em);
    },
    afterTransactionCommit({ transaction }: TransactionArgs): void {
      if (!transaction) return;
      const made = changes.get(transaction) ?? [];
      changes.delete(transaction);
      const outer = around.get(transaction);
      if (outer) changes.set(outer, [...(changes.get(outer) ?? []), ...made]);
      else made.forEach(tell);
    },
    afterTransactionRollback({ transaction }: TransactionArgs): void {
      if (transaction) changes.delete(transaction);
    },
  };
}

function changeOf(changeSet: NonNullable<EventArgs['changeSet']>): EntityChange {
  const { entity, meta, originalEntity = entity.__helper?.__originalEntityData } = changeSet;
  const [type = ''] = changeSet.type.split('_');
  const payload = { ...changeSet.payload } as Record<string, unknown>;
  const original = { ...originalEntity } as Record<string, unknown>;
  const differing = Object.keys(payload).map((name) => [name, original[name] ?? null]);
  const data =
    type === 'create'
      ? { after: payload }
      : type === 'delete'
        ? { before: original }
        : { before: Object.fromEntries(differing), after: payload };
  return {
    type: type as EntityChange['type'],
    name: meta.className,
    entity,
    id: changeSet.getPrimaryKey(),
    data,
  };
}
