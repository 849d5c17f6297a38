import { type Author, writerOf } from '../auth/scope.js';
import type { Execute } from '../database/execute.js';
import { withLongDataCut } from './entry/check-data.js';
import { checkInput, completeEntry, type ReadEntry, readInput } from './entry/check-entry.js';
import type { CreateLogInput } from './entry/create-log-input.js';
import type { RuleSource } from './entry/data-rules.js';
import { Identifier } from './entry/identifier.js';
import type { LogEntry } from './entry/log-entry.entity.js';
import { OWN_MODULE } from './entry/module-name.js';
import { Batch } from './write/batch.js';
import { prepareEntry } from './write/prepare.js';
import { storeEntries } from './write/store.js';
import type { Stored, WriteResult, Writer } from './write/writer.js';

/** The input of a module in this process: createLog's, with a tenant. */
export type LogInput = CreateLogInput & { tenantId: string };

/** One for all services of the process that are given none, so that ids and times increase. */
const sharedIdentifier = new Identifier();

/** Stores entries: every entry that GraphQL, REST, an embedding host or Reel itself writes goes through here. LogReader reads. */
export class ReelService {
  constructor(
    private readonly writer: Pick<Writer, 'write' | 'writeEach'>,
    private readonly identifier: Identifier = sharedIdentifier,
    private readonly rules: RuleSource | null = null,
  ) {}

  /**
   * Stores one entry of a module in this process, which is trusted. Resolves once it is on disk; with a caller's
   * EntityManager in a transaction (getReelService), once it is written there, to be committed or rolled back with it.
   * Errors: BAD_USER_INPUT with every fault, FORBIDDEN, CONFLICT, OVERLOADED, UNAVAILABLE.
   */
  log(input: LogInput): Promise<LogEntry> {
    return this.create({ kind: 'module', module: input.module, ip: null, agent: null }, input);
  }

  /**
   * Stores 1 to 1,000 entries of modules in this process, each on its own: those that are well in one transaction, and for
   * each other one its error, in the order given. A fault of one entry is never another's; where the database is
   * unavailable, or the queue full, nothing is stored and the promise rejects. With a caller's EntityManager in a
   * transaction as log(). Errors: BAD_USER_INPUT for the number of entries, OVERLOADED, UNAVAILABLE.
   */
  writeLogs(inputs: readonly LogInput[]): Promise<WriteResult[]> {
    return this.writeEach({ kind: 'module', module: '*', ip: null, agent: null }, inputs);
  }

  /** Stores one entry of an author, who may not claim another identity. Errors as those of log. */
  async create(author: Author, input: CreateLogInput): Promise<LogEntry> {
    return (await this.store(author, input)).entry;
  }

  /** As create; also tells an entry stored before under the same idempotency key. */
  async store(author: Author, input: CreateLogInput): Promise<Stored> {
    // Otherwise it is looked at before the caller goes on, who may change it then.
    const read = readInput(input.repair ? await withLongDataCut(input) : input, author);
    const rules = this.rules?.recent;
    const checked =
      this.rules && !rules
        ? completeEntry(asRead(read), await this.rules.current())
        : completeEntry(read, rules);
    const prepared = prepareEntry(checked, this.identifier.next());
    const [stored] = await this.writer.write([prepared], writerOf(author));
    return stored!;
  }

  /** Stores 1 to 1,000 entries, all or none; returns them in the order given. */
  async createMany(author: Author, inputs: readonly CreateLogInput[]): Promise<LogEntry[]> {
    return (await this.batch(author).addAll(inputs)).writeAll();
  }

  /** Stores 1 to 1,000 entries, each on its own, as writeLogs. */
  async writeEach(author: Author, inputs: readonly CreateLogInput[]): Promise<WriteResult[]> {
    return (await this.batch(author).addAll(inputs)).writeEach();
  }

  /** For inputs that come one by one. */
  batch(author: Author): Batch {
    return new Batch(author, this.writer, this.identifier, this.rules);
  }

  /** Stores an entry of Reel's own: who exported, who viewed. */
  async record(input: Omit<LogInput, 'module'>): Promise<LogEntry> {
    const author: Author = { kind: 'module', module: OWN_MODULE, ip: null, agent: null };
    const checked = checkInput({ ...input, module: OWN_MODULE }, author, { reelItself: true });
    // By tenant, so that one whose reads are all recorded takes no other's share.
    const by = `${OWN_MODULE}:${checked.tenantId}`;
    const [stored] = await this.writer.write([prepareEntry(checked, this.identifier.next())], by);
    return stored!.entry;
  }

  /** As record, in the transaction that does what is recorded; the sequencer finds it there. */
  async recordWith(execute: Execute, input: Omit<LogInput, 'module'>): Promise<void> {
    const author: Author = { kind: 'module', module: OWN_MODULE, ip: null, agent: null };
    const checked = checkInput({ ...input, module: OWN_MODULE }, author, { reelItself: true });
    await storeEntries(execute, [prepareEntry(checked, this.identifier.next())]);
  }
}

/** With data of its own, whatever becomes of the caller's. */
const asRead = (read: ReadEntry): ReadEntry => ({
  ...read,
  data: read.data && { ...read.data, data: JSON.parse(read.data.text) as Record<string, unknown> },
});
