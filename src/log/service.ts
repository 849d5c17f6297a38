import type { Author } from '../auth/scope.js';
import { badInput } from '../errors.js';
import { checkInput, checkInputs } from './entry/check-entry.js';
import type { CreateLogInput } from './entry/create-log-input.js';
import { Identifier } from './entry/identifier.js';
import type { LogEntry } from './entry/log-entry.entity.js';
import { OWN_MODULE } from './entry/module-name.js';
import { prepareEntry } from './write/prepare.js';
import type { Writer } from './write/writer.js';

/** The input of a module in this process: createLog's, with a tenant. */
export type LogInput = CreateLogInput & { tenantId: string };

export const MAX_ENTRIES = 1_000;

/** One for all services of the process, so that ids and times strictly increase. */
const identifier = new Identifier();

/** Stores entries: every entry that GraphQL, REST, an embedding host or Reel itself writes goes through here. LogReader reads. */
export class ReelService {
  constructor(private readonly writer: Pick<Writer, 'write'>) {}

  /**
   * Stores one entry of a module in this process, which is trusted. Resolves once it is on disk; with a caller's
   * EntityManager in a transaction (getReelService), once it is written there, to be committed or rolled back with it.
   * Errors: BAD_USER_INPUT with every fault, FORBIDDEN, CONFLICT, OVERLOADED, UNAVAILABLE.
   */
  log(input: LogInput): Promise<LogEntry> {
    return this.create({ kind: 'module', module: input.module, ip: null, agent: null }, input);
  }

  /** Stores one entry of an author, who may not claim another identity. Errors as those of log. */
  async create(author: Author, input: CreateLogInput): Promise<LogEntry> {
    const [entry] = await this.writer.write([prepareEntry(checkInput(input, author), identifier.next())]);
    return entry!;
  }

  /** Stores 1 to 1,000 entries, all or none; returns them in the order given. */
  async createMany(author: Author, inputs: readonly CreateLogInput[]): Promise<LogEntry[]> {
    if (inputs.length < 1 || inputs.length > MAX_ENTRIES)
      throw badInput('inputs', `1 to ${MAX_ENTRIES} entries`, `${inputs.length} entries`);
    return this.writer.write(
      checkInputs(inputs, author).map((checked) => prepareEntry(checked, identifier.next())),
    );
  }

  /** Stores an entry of Reel's own: who exported, who viewed. */
  async record(input: Omit<LogInput, 'module'>): Promise<LogEntry> {
    const author: Author = { kind: 'module', module: OWN_MODULE, ip: null, agent: null };
    const checked = checkInput({ ...input, module: OWN_MODULE }, author, { reelItself: true });
    const [entry] = await this.writer.write([prepareEntry(checked, identifier.next())]);
    return entry!;
  }
}
