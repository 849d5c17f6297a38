import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { matchCounts } from '../counts/counts.js';
import { type ByDay, countValues, isCountedBy } from '../counts/day-counts.js';
import { ACTOR_OF, type ActorKey } from '../counts/stored-counts.js';
import { ORIGINS } from '../entry/origin.js';
import { OUTCOMES } from '../entry/outcome.js';
import { SEVERITIES } from '../entry/severity.js';
import {
  type Criteria,
  type FilterField,
  isCountable,
  type Subject,
  withoutConditionsOn,
} from '../filter/criteria.js';
import type { Figure, Read, Tally, TallyRow } from './figure.js';
import { actorLabels } from './labels.js';
import { type FacetCount, LogFacet } from './log-stats.js';
import { type ValueCount, ValueCounts } from './value-counts.js';

/** Values of one facet. */
export const MAX_FACET = 100;

/** How one facet is counted: by `key`, an expression that gives a text or null, out of `columns`. */
interface FacetSource {
  /** Conditions on these are left out. */
  readonly subjects: readonly Subject[];
  readonly columns: readonly string[];
  readonly key: RawBuilder<unknown>;
  /** Of an actor: what its key is, as in ACTOR_KEYS. */
  readonly kind?: RawBuilder<unknown>;
  /** Whether the stored counts have the column, or are by its values. */
  readonly counted: boolean | ByDay;
}

const ofColumn = (
  field: FilterField,
  column: string,
  counted: FacetSource['counted'] = false,
): FacetSource => ({
  subjects: [field],
  columns: [column],
  key: sql`${sql.ref(column)}::text`,
  counted,
});
const ofEnumeration = (field: FilterField, column: string, names: readonly string[], counted = false) => ({
  ...ofColumn(field, column, counted),
  key: sql`(${names}::text[])[${sql.ref(column)} + 1]`,
});

const FACETS: Record<LogFacet, FacetSource> = {
  MODULE: ofColumn('module', 'module', true),
  ACTION: ofColumn('action', 'action', 'action'),
  SEVERITY: ofEnumeration('severity', 'severity', SEVERITIES, true),
  ACTOR: {
    subjects: ['actor', 'actorId', 'actorEmail', 'actorName'],
    columns: ACTOR_OF.columns,
    key: ACTOR_OF.value,
    kind: ACTOR_OF.kind,
    counted: 'actor',
  },
  RESOURCE_TYPE: ofColumn('resourceType', 'resource_type'),
  CLIENT: ofColumn('clientId', 'client_id', true),
  OUTCOME: ofEnumeration('outcome', 'outcome', OUTCOMES),
  ORIGIN: ofEnumeration('origin', 'origin', ORIGINS),
};

/** The most frequent values of one field. */
export class FacetFigure implements Figure<FacetCount[]> {
  /** Values that are asked for. */
  most = 0;
  readonly #criteria: Criteria;
  #values = new ValueCounts();

  constructor(
    criteria: Criteria,
    private readonly facet: LogFacet,
  ) {
    this.#criteria = withoutConditionsOn(criteria, FACETS[facet].subjects);
  }

  async prepare(execute: Execute): Promise<Tally | null> {
    const { columns, key, kind = sql`0`, counted } = FACETS[this.facet];
    const criteria = this.#criteria;
    const values = new ValueCounts();
    this.#values = values;
    const add = (row: TallyRow) => values.add(row.key, Number(row.n), row.detail);
    if (typeof counted === 'string' && isCountedBy(counted, criteria)) {
      const rows = await countValues(execute, criteria, counted, MAX_FACET);
      if (rows) {
        for (const { value, kind: of, n } of rows) values.add(value, Number(n), of);
        return null;
      }
    }
    if (counted !== true || !isCountable(criteria))
      return {
        criteria,
        columns,
        rows: () => sql`select ${key} as key, min(${kind}) as detail, count(*) as n from matching group by 1`,
        add,
        get isComplete() {
          return values.isComplete;
        },
      };
    const rows = await execute<TallyRow>(sql`
      select ${key} collate "C" as key, 0 as detail, sum(n) as n from ${matchCounts(criteria, { largest: 'block' })} counts
      group by 1 order by n desc, key nulls last limit ${MAX_FACET}`);
    rows.forEach(add);
    return null;
  }

  async result(read: Read): Promise<FacetCount[]> {
    const found = this.#values.top(this.most);
    const labels = await this.#labels(read, found);
    return found.map(({ key, count }) => ({
      key,
      label: (key === null ? null : labels?.get(key)) ?? null,
      count,
    }));
  }

  async #labels(read: Read, found: readonly ValueCount[]): Promise<ReadonlyMap<string, string> | undefined> {
    const { scope } = this.#criteria;
    if (this.facet === LogFacet.CLIENT) return scope.clientNames;
    if (this.facet !== LogFacet.ACTOR) return undefined;
    const keys = new Map(
      found.flatMap(({ key, kind }) => (key === null ? [] : [[key, kind as ActorKey] as const])),
    );
    return read((execute) => actorLabels(execute, scope, keys));
  }
}
