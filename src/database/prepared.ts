import type { ClientBase } from 'pg';

/** What the driver has of a connection, though its types do not say so. */
export interface WireConnection {
  readonly stream: { cork(): void; uncork(): void };
  parse(query: { name?: string; text: string }): void;
  bind(config: { statement?: string; values: readonly unknown[] }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(config: object): void;
  close(message: { type: 'S'; name: string }): void;
  flush(): void;
  sync(): void;
}

export interface Field {
  readonly name: string;
}

/** A statement that a connection has prepared, or is about to. */
export interface Prepared {
  readonly name: string;
  /** The columns of its rows, once they are known. */
  fields: Field[] | null;
}

/** What a connection has prepared, by text, and names that it may have and nobody needs. */
interface Known {
  readonly statements: Map<string, Prepared>;
  readonly stale: string[];
}

/** Statements that a connection keeps prepared; the one that was not used for longest goes. */
const MOST_PREPARED = 64;

const knownOn = new WeakMap<object, Known>();
let names = 0;

/**
 * The statement as prepared on the connection; sends what prepares it, unless it is. `forget` gets what must be called after an
 * error, since then it is not known whether it was.
 */
export function prepareOn(connection: WireConnection, text: string, forget: (() => void)[]): Prepared {
  const known = knownOn.get(connection) ?? { statements: new Map<string, Prepared>(), stale: [] };
  knownOn.set(connection, known);
  const { statements, stale } = known;
  const present = statements.get(text);
  if (present) {
    statements.delete(text);
    statements.set(text, present);
    return present;
  }
  const [oldest] = statements;
  if (oldest && statements.size >= MOST_PREPARED) {
    statements.delete(oldest[0]);
    stale.push(oldest[1].name);
  }
  // To close one that is not there is no error.
  for (const name of stale.splice(0)) connection.close({ type: 'S', name });
  names += 1;
  const statement: Prepared = { name: `reel_${names}`, fields: null };
  connection.parse({ name: statement.name, text });
  statements.set(text, statement);
  forget.push(() => {
    if (statements.get(text) === statement) statements.delete(text);
    stale.push(statement.name);
  });
  return statement;
}

/** To be called after an error that says that what was prepared is not there, or not as it was. */
export function forgetPrepared(client: ClientBase): void {
  const { connection } = client as unknown as { connection: object };
  const known = knownOn.get(connection);
  if (!known) return;
  known.stale.push(...[...known.statements.values()].map(({ name }) => name));
  known.statements.clear();
}

/** SQLSTATEs of a prepared statement that is not there, as behind a pooler, or whose rows have changed; and of what Citus does not take. */
const NOT_AS_PREPARED: ReadonlySet<unknown> = new Set(['26000', '42P05', '0A000']);

export const isNotAsPrepared = (error: unknown): boolean =>
  NOT_AS_PREPARED.has((error as { code?: unknown }).code);

/** Reads once more without prepared statements where these are not as they were. */
export async function asKept<T>(
  isKept: boolean | undefined,
  read: (isKept: boolean) => Promise<T>,
): Promise<T> {
  if (!isKept) return read(false);
  try {
    return await read(true);
  } catch (error) {
    if (isNotAsPrepared(error)) return read(false);
    throw error;
  }
}
