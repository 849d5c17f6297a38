import { type Redact, redactor } from '../../client/redact.js';
import { type JsonSchema, type SchemaFault, SchemaTimeout, schemaCheck } from './json-schema.js';
import { withoutRedacted } from './redacted-schema.js';
import type { Registration } from './registration.js';
import type { StoredRegistration } from './store.js';

/** The registered actions of a module, by name. */
export type ModuleActions = ReadonlyMap<string, KnownAction>;

/** Of registrations by module, action and version. */
export function modulesOf(
  stored: readonly StoredRegistration[],
  redactionKey: string | null,
): ReadonlyMap<string, ModuleActions> {
  return new Map(
    [...Map.groupBy(stored, ({ module }) => module)].map(([module, registrations]) => [
      module,
      new Map(
        [...Map.groupBy(registrations, ({ action }) => action)].map(([action, versions]) => [
          action,
          new KnownAction(versions, redactionKey),
        ]),
      ),
    ]),
  );
}

/** Past so long data counts as checked no further. */
const CHECK_MS = 50;

/** What is known of an action: all of its versions, since an entry does not say which it is of, and may have been recorded long ago. */
export class KnownAction {
  private redaction: ((data: unknown) => Record<string, unknown>) | null = null;
  private checks: { version: number; check: (data: unknown, ms: number) => SchemaFault[] }[] | null = null;

  /** `versions`: oldest first. */
  constructor(
    private readonly versions: readonly Registration[],
    private readonly redactionKey: string | null,
  ) {}

  /** Whether any of its data is redacted. */
  get isRedacted(): boolean {
    return this.versions.some(({ redact }) => redact.length > 0);
  }

  /** A copy with what any version says redacted, and named in `_redacted`; what says so of itself already is left as it is. */
  redact(data: Record<string, unknown>): Record<string, unknown> {
    this.redaction ??= redactor({
      rules: this.rules(),
      patterns: [],
      key: this.redactionKey ?? undefined,
      maxCharacters: Number.POSITIVE_INFINITY,
    });
    return this.redaction(data);
  }

  /** Why data, as it is once redacted, fits none of the versions: the faults of the newest. None where it fits. */
  faultsOf(data: Record<string, unknown>): { version: number; faults: SchemaFault[] } {
    this.checks ??= this.checksOf();
    const end = performance.now() + CHECK_MS;
    let newest: { version: number; faults: SchemaFault[] } | undefined;
    for (const { version, check } of this.checks) {
      const faults = faultsWithin(check, data, end - performance.now());
      if (faults.length === 0) return { version, faults };
      newest ??= { version, faults };
    }
    return newest ?? { version: 0, faults: [] };
  }

  /** Oldest first: what the newest says of a path counts. Without a key nothing of what needs one is kept. */
  private rules(): Redact[] {
    const how = { DROP: 'drop', MASK: 'mask', HMAC: this.redactionKey === null ? 'drop' : 'hmac' } as const;
    return this.versions.flatMap(({ redact }) =>
      redact.map((each) => ({ path: each.path, how: how[each.how] })),
    );
  }

  /** Newest first. */
  private checksOf() {
    const paths = this.versions.flatMap(({ redact }) => redact.map(({ path }) => path));
    return this.versions.toReversed().map(({ version, schema }) => ({
      version,
      check: schema === null ? () => [] : checkOf(withoutRedacted(schema, paths)),
    }));
  }
}

/** A schema that cannot be checked with, as one of a newer release's, is no module's fault. */
function checkOf(schema: JsonSchema): (data: unknown, ms: number) => SchemaFault[] {
  try {
    return schemaCheck(schema);
  } catch {
    return () => [];
  }
}

function faultsWithin(
  check: (data: unknown, ms: number) => SchemaFault[],
  data: unknown,
  ms: number,
): SchemaFault[] {
  try {
    return check(data, Math.max(1, Math.floor(ms)));
  } catch (error) {
    if (!(error instanceof SchemaTimeout) && !(error instanceof RangeError)) throw error;
    return [{ way: [], message: 'must be checked in less time', isOfTheWhole: false }];
  }
}
