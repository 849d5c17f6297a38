import { type Author, writerOf } from '../../auth/scope.js';
import { badInput, ReelError } from '../../errors.js';
import { passTurn } from '../../time-slice.js';
import { withLongDataCut } from '../entry/check-data.js';
import { type CheckedEntry, checkInput, inputRefusal } from '../entry/check-entry.js';
import type { CreateLogInput } from '../entry/create-log-input.js';
import type { RuleSource } from '../entry/data-rules.js';
import type { Identifier } from '../entry/identifier.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import { type PreparedEntry, prepareEntry } from './prepare.js';
import type { WriteResult, Writer } from './writer.js';

/** Of one batch. */
export const MAX_ENTRIES = 1_000;

/** The entries of one call, checked one by one as they are added, and then written together. */
export class Batch {
  private readonly inputs: (CheckedEntry | ReelError)[] = [];

  constructor(
    private readonly author: Author,
    private readonly writer: Pick<Writer, 'write' | 'writeEach'>,
    private readonly identifier: Identifier,
    private readonly rules: RuleSource | null = null,
  ) {}

  /** The next input. What is wrong with it is reported when the batch is written. Errors: UNAVAILABLE. */
  async add(input: CreateLogInput): Promise<void> {
    const rules = this.rules && (this.rules.recent ?? (await this.rules.current()));
    try {
      if (typeof input !== 'object' || input === null) throw badInput('input', 'an object', input);
      this.inputs.push(
        checkInput(input.repair ? await withLongDataCut(input) : input, this.author, { rules }),
      );
    } catch (error) {
      if (!(error instanceof ReelError)) throw error;
      this.inputs.push(error);
    }
    await passTurn();
  }

  /** In place of an input that is refused before it could be checked. */
  async refuse(error: ReelError): Promise<void> {
    this.inputs.push(error);
    await passTurn();
  }

  async addAll(inputs: readonly CreateLogInput[]): Promise<this> {
    if (inputs.length < 1 || inputs.length > MAX_ENTRIES)
      throw badInput('inputs', `1 to ${MAX_ENTRIES} entries`, `${inputs.length} entries`);
    for (const input of inputs) await this.add(input);
    return this;
  }

  /** Stores all or none. Errors: FORBIDDEN, else BAD_USER_INPUT with the faults of all inputs, and those of Writer.write. */
  async writeAll(): Promise<LogEntry[]> {
    const refusals = this.inputs.flatMap((each, index) =>
      each instanceof ReelError ? [{ error: each, index }] : [],
    );
    const forbidden = refusals.find(({ error }) => error.code !== 'BAD_USER_INPUT');
    if (forbidden) throw forbidden.error;
    const faults = refusals.flatMap(({ error, index }) =>
      error.faults.map((each) => ({
        ...each,
        loc: [index, ...each.loc],
        msg: `inputs[${index}].${each.msg}`,
      })),
    );
    if (faults.length > 0) throw inputRefusal(faults);
    return (await this.writer.write(await this.prepare(), writerOf(this.author))).map(({ entry }) => entry);
  }

  /** Stores those that are well in one transaction. One result each, in the order added. Errors: those of Writer.writeEach. */
  async writeEach(): Promise<WriteResult[]> {
    const prepared = await this.prepare();
    const written = prepared.length > 0 ? await this.writer.writeEach(prepared, writerOf(this.author)) : [];
    let next = 0;
    return this.inputs.map((input) => (input instanceof ReelError ? { error: input } : written[next++]!));
  }

  private async prepare(): Promise<PreparedEntry[]> {
    const prepared: PreparedEntry[] = [];
    for (const input of this.inputs) {
      if (input instanceof ReelError) continue;
      prepared.push(prepareEntry(input, this.identifier.next()));
      await passTurn();
    }
    return prepared;
  }
}
