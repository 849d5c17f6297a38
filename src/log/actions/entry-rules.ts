import { type ActionMode, type ActionModes, modeOf } from '../../config/action-modes.js';
import { clip, clipWay, type Fault, wayText } from '../../errors.js';
import { nearest } from '../../query-line/nearest.js';
import { type CheckedData, checkData } from '../entry/check-data.js';
import type { DataRules, RuledEntry, RuleSource } from '../entry/data-rules.js';
import type { SchemaFault } from './json-schema.js';
import type { KnownAction } from './module-actions.js';
import type { Registered, RegisteredActions } from './registry.js';

/** What of an entry is not as registered. */
export type Mismatch = 'action' | 'data';

export interface RuleOptions {
  readonly modes: ActionModes;
  /** Told of each entry that is stored or refused though it is not as registered. */
  readonly onMismatch?: (module: string, what: Mismatch) => void;
}

/** Names in data that say what was done to it: they are nobody's data. */
const REDACTED = '_redacted';
const TRUNCATED = '_truncated';

/** Redacts the data of entries as is registered for their action, and sees whether action and data are as registered. */
export class EntryRules implements DataRules {
  constructor(
    private readonly registered: Registered,
    private readonly options: RuleOptions,
  ) {}

  apply(entry: RuledEntry, data: CheckedData | null, faults: Fault[]): CheckedData | null {
    const actions = this.registered.modules.get(entry.module);
    // A module without registrations is not checked.
    if (actions === undefined) return data;
    const action = actions.get(entry.action);
    const kept = data && action?.isRedacted ? redacted(action, data, entry, faults) : data;
    const mode = modeOf(this.options.modes, entry.module);
    if (mode === 'off' || faults.length > 0) return kept;
    const found = action
      ? dataFaults(action, entry, kept?.data ?? {})
      : [unknownAction(entry, [...actions.keys()])];
    if (found.length > 0) this.report(entry.module, action ? 'data' : 'action', mode, found, faults);
    return kept;
  }

  private report(module: string, what: Mismatch, mode: ActionMode, found: Fault[], faults: Fault[]): void {
    this.options.onMismatch?.(module, what);
    if (mode === 'refuse') faults.push(...found);
  }
}

/** What is cut has its beginning as it came, and its digest, which are left out. */
function redacted(
  action: KnownAction,
  { data, repaired }: CheckedData,
  { repair }: RuledEntry,
  faults: Fault[],
): CheckedData | null {
  const isCut = repaired && data[TRUNCATED] === true;
  const left = isCut
    ? { [TRUNCATED]: true, _bytes: data._bytes, [REDACTED]: { _sha256: 'drop', _text: 'drop' } }
    : action.redact(data);
  const checked = checkData(left, faults, { repair });
  return checked && { ...checked, repaired: repaired || checked.repaired };
}

function dataFaults(
  action: KnownAction,
  { action: name, isModule }: RuledEntry,
  data: Record<string, unknown>,
): Fault[] {
  // What was cut by the module's client or by repair can no longer be told.
  if (isModule && data[TRUNCATED] === true) return [];
  const { [REDACTED]: marks, ...plain } = data;
  const { version, faults } = action.faultsOf(plain);
  if (faults.some((fault) => isByRedaction(fault, marks))) return [];
  return faults.map(({ way, message }) => {
    const loc = clipWay(['data', ...way]);
    const msg = `${wayText(loc)}: expected what version ${version} of ${clip(name)} takes (${message}), got ${clip(valueAt(plain, way))}`;
    return { type: 'value_error', loc, msg, input: valueAt(plain, way) };
  });
}

/** Whether a value was left out or changed where the fault is, as by patterns that the module's client looks for. */
function isByRedaction({ way, isOfTheWhole }: SchemaFault, marks: unknown): boolean {
  if (typeof marks !== 'object' || marks === null) return false;
  const at = way.join('.');
  return Object.keys(marks).some(
    (mark) =>
      at === mark || at.startsWith(`${mark}.`) || (isOfTheWhole && (at === '' || mark.startsWith(`${at}.`))),
  );
}

function valueAt(data: unknown, way: readonly (string | number)[]): unknown {
  let at: unknown = data;
  for (const step of way)
    at = typeof at === 'object' && at !== null ? (at as Record<string | number, unknown>)[step] : undefined;
  return at;
}

/** Names that are compared, since a module may have very many. */
const MAX_COMPARED = 50;

function unknownAction({ module, action }: RuledEntry, known: readonly string[]): Fault {
  const [area] = action.split('.', 1);
  const alike = known.filter((each) => each.startsWith(`${area}.`));
  const meant = nearest(action, (alike.length > 0 ? alike : known).slice(0, MAX_COMPARED));
  const msg = `action: expected one that ${clip(module)} has registered, got ${clip(action)}; did you mean ${clip(meant)}?`;
  return { type: 'value_error', loc: ['action'], msg, input: action };
}

/** The rules of what is registered. */
export class RegisteredRules implements RuleSource {
  private made: { of: Registered; rules: EntryRules } | null = null;

  /** `database`: by way of which what is registered is read; none: the registry's own. */
  constructor(
    private readonly registry: Pick<RegisteredActions, 'recent' | 'current'>,
    private readonly options: RuleOptions,
    private readonly database?: Parameters<RegisteredActions['current']>[0],
  ) {}

  get recent(): EntryRules | null {
    const { recent } = this.registry;
    return recent && this.rulesOf(recent);
  }

  async current(): Promise<EntryRules> {
    return this.rulesOf(await this.registry.current(this.database));
  }

  private rulesOf(of: Registered): EntryRules {
    if (this.made?.of.modules !== of.modules) this.made = { of, rules: new EntryRules(of, this.options) };
    return this.made.rules;
  }
}
