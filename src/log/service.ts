import type { Author, Scope } from '../auth/scope.js';
import { badInput } from '../errors.js';
import { checkInput, checkInputs, OWN_MODULE } from './entry/check-entry.js';
import type { CreateLogInput } from './entry/create-log-input.js';
import { Identifier } from './entry/identifier.js';
import type { LogEntry } from './entry/log-entry.entity.js';
import type { LogFilter } from './filter/log-filter.js';
import type { PageRequest } from './read/page.js';
import type { LogPage, LogReader } from './read/reader.js';
import type { LogCount } from './stats/counts.js';
import { prepareEntry } from './write/prepare.js';
import type { Writer } from './write/writer.js';

/** What a module says in process: createLog's input, its tenant always named. */
export type LogInput = CreateLogInput & { tenantId: string };

export const MAX_ENTRIES = 1_000;

/** Strictly growing within the process, whatever the number of services in it. */
const identifier = new Identifier();

/** The trade of the audit trail: everything GraphQL, REST and embedding hosts do goes through here. */
export class ReelService {
  constructor(
    private readonly writer: Pick<Writer, 'write'>,
    private readonly reader: LogReader,
  ) {}

  /**
   * Stores one entry of a module in this process, which vouches for it. Resolves once it is on disk; with a caller's
   * EntityManager in a transaction (getReelService), once it is written there, to stand or fall with it.
   * Errors: BAD_USER_INPUT with every fault, FORBIDDEN, CONFLICT, OVERLOADED, UNAVAILABLE.
   */
  log(input: LogInput): Promise<LogEntry> {
    return this.create({ kind: 'module', module: input.module, ip: null, agent: null }, input);
  }

  /** Stores one entry as far as its author may. Errors as those of log. */
  async create(author: Author, input: CreateLogInput): Promise<LogEntry> {
    const [entry] = await this.writer.write([prepareEntry(checkInput(input, author), identifier.next())]);
    return entry!;
  }

  /** Stores 1 to 1,000 entries, all or none, answered in the order given. */
  async createMany(author: Author, inputs: readonly CreateLogInput[]): Promise<LogEntry[]> {
    if (inputs.length < 1 || inputs.length > MAX_ENTRIES)
      throw badInput('inputs', `1 to ${MAX_ENTRIES} entries`, `${inputs.length} entries`);
    return this.writer.write(
      checkInputs(inputs, author).map((checked) => prepareEntry(checked, identifier.next())),
    );
  }

  /** Stores an entry of Reel's own: who exported, who looked, who erased. */
  async record(input: Omit<LogInput, 'module'>): Promise<LogEntry> {
    const author: Author = { kind: 'module', module: OWN_MODULE, ip: null, agent: null };
    const checked = checkInput({ ...input, module: OWN_MODULE }, author, { reelItself: true });
    const [entry] = await this.writer.write([prepareEntry(checked, identifier.next())]);
    return entry!;
  }

  /** The request has been checked (checkPage). */
  list(scope: Scope, filter: LogFilter | null | undefined, page: PageRequest): Promise<LogPage> {
    return this.reader.list(scope, filter, page);
  }

  count(scope: Scope, filter: LogFilter | null | undefined, exact: boolean): Promise<LogCount> {
    return this.reader.count(scope, filter, exact);
  }

  get(scope: Scope, id: string): Promise<LogEntry | null> {
    return this.reader.get(scope, id);
  }

  /** Entries with one of the request ids, oldest first, at most `first` + 1 a request, since the asking entry may be among them. */
  byRequest(scope: Scope, requestIds: readonly string[], first: number): Promise<Map<string, LogEntry[]>> {
    return this.reader.byRequests(scope, requestIds, first + 1);
  }
}
