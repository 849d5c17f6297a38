import { badInput, clip, clipWay, type Fault, ReelError, wayText } from '../../errors.js';
import { isStorable } from '../../query-line/values.js';
import { takeTurn } from '../../time-slice.js';
import { TEXT_BOUNDS } from '../entry/bounds.js';
import { checkData } from '../entry/check-data.js';
import { inputRefusal } from '../entry/check-entry.js';
import { isLonger, isVisible } from '../entry/field-reader.js';
import type { LogSeverity } from '../entry/severity.js';
import { type JsonSchema, SchemaTimeout, schemaCheck } from './json-schema.js';
import { type Redaction, RedactionHow, type RegisterActionInput } from './registered-action.js';

/** A version of an action, as a module registers it. */
export interface Registration {
  readonly action: string;
  readonly version: number;
  readonly description: string | null;
  readonly severity: LogSeverity | null;
  readonly resourceType: string | null;
  readonly schema: JsonSchema | null;
  /** By path. */
  readonly redact: readonly Redaction[];
}

/** Of one call. */
export const MAX_REGISTRATIONS = 1_000;
const MAX_DESCRIPTION = 500;
const MAX_SCHEMA_BYTES = 32_768;
const MAX_RULES = 100;
const MAX_PATH = 255;
/** GraphQL's Int ends there. */
const MAX_VERSION = 2_147_483_647;

/** `canHmac`: whether this server has a key for it. Errors: BAD_USER_INPUT with every fault. */
export async function checkRegistrations(
  inputs: readonly RegisterActionInput[],
  canHmac: boolean,
): Promise<Registration[]> {
  if (inputs.length < 1 || inputs.length > MAX_REGISTRATIONS)
    throw badInput('actions', `1 to ${MAX_REGISTRATIONS} actions`, `${inputs.length} actions`);
  const faults: Fault[] = [];
  const checked: Registration[] = [];
  const seen = new Set<string>();
  for (const [index, input] of inputs.entries()) {
    const reader = new Reader([index], faults);
    checked.push(reader.read(input, canHmac));
    const key = JSON.stringify([input.action, input.version]);
    if (seen.has(key)) reader.fault(['action'], 'each version of an action once', input.action);
    seen.add(key);
    if (faults.length >= MAX_FAULTS) break;
    await takeTurn();
  }
  if (faults.length > 0) throw inputRefusal(faults);
  return checked;
}

const MAX_FAULTS = 20;

class Reader {
  constructor(
    private readonly at: readonly number[],
    private readonly faults: Fault[],
  ) {}

  read(input: RegisterActionInput, canHmac: boolean): Registration {
    const { action, version } = input;
    this.line(['action'], action, TEXT_BOUNDS.action.characters);
    if (version < 1 || version > MAX_VERSION) this.fault(['version'], 'a version from 1', version);
    return {
      action,
      version,
      description: this.optional(['description'], input.description, MAX_DESCRIPTION),
      severity: input.severity ?? null,
      resourceType: this.optional(['resourceType'], input.resourceType, TEXT_BOUNDS.resourceType.characters),
      schema: input.schema == null ? null : this.schema(input.schema),
      redact: this.redact(input.redact ?? [], canHmac),
    };
  }

  fault(way: readonly (string | number)[], expected: string, came: unknown): null {
    return this.say(way, `expected ${expected}, got ${clip(came)}`, came);
  }

  private say(way: readonly (string | number)[], what: string, came: unknown): null {
    const loc = clipWay(['actions', ...this.at, ...way]);
    this.faults.push({ type: 'value_error', loc, msg: `${wayText(loc)}: ${what}`, input: came });
    return null;
  }

  private optional(way: readonly string[], text: string | null | undefined, max: number): string | null {
    return text ? this.line(way, text, max) : null;
  }

  /** Text that is shown on one line. */
  private line(way: readonly (string | number)[], text: string, max: number): string | null {
    if (text === '' || isLonger(text, { characters: max }))
      return this.fault(way, `1 to ${max} characters`, text);
    if (!isVisible(text) || !isStorable(text) || text.trim() !== text)
      return this.fault(
        way,
        'text without control, format and bidirectional characters, or white space around it',
        text,
      );
    return text;
  }

  private schema(schema: Record<string, unknown>): JsonSchema | null {
    const found: Fault[] = [];
    const checked = checkData(schema, found);
    if (!checked) {
      const [{ loc, msg, input }] = found as [Fault];
      return this.say(['schema', ...loc.slice(1)], msg.slice(msg.indexOf(': ') + 2), input);
    }
    const bytes = Buffer.byteLength(checked.text);
    if (bytes > MAX_SCHEMA_BYTES)
      return this.fault(['schema'], `at most ${MAX_SCHEMA_BYTES} bytes of compact JSON`, bytes);
    try {
      // Whether it can be checked with at all.
      schemaCheck(checked.data)({});
      return checked.data;
    } catch (error) {
      if (error instanceof ReelError) throw error;
      const why = error instanceof SchemaTimeout ? 'one that takes too long' : (error as Error).message;
      return this.fault(['schema'], 'a JSON Schema, draft 2020-12, that stands by itself', why);
    }
  }

  private redact(rules: NonNullable<RegisterActionInput['redact']>, canHmac: boolean): Redaction[] {
    if (rules.length > MAX_RULES) {
      this.fault(['redact'], `at most ${MAX_RULES} paths`, `${rules.length}`);
      return [];
    }
    const paths = new Set<string>();
    for (const [index, { path, how }] of rules.entries()) {
      const way = ['redact', index];
      if (isLonger(path, { characters: MAX_PATH }) || !isStorable(path) || path.split('.').includes(''))
        this.fault([...way, 'path'], `names joined by dots, of at most ${MAX_PATH} characters`, path);
      else if (paths.has(path)) this.fault([...way, 'path'], 'each path once', path);
      else if (how === RedactionHow.HMAC && !canHmac)
        this.fault([...way, 'how'], 'DROP or MASK, since this server has no REEL_REDACTION_KEY', how);
      paths.add(path);
    }
    return rules.map(({ path, how }) => ({ path, how })).sort((a, b) => (a.path < b.path ? -1 : 1));
  }
}
