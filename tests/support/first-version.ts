import type { Database } from '../../src/database/database.js';
import { checkInput } from '../../src/log/entry/check-entry.js';
import type { CreateLogInput } from '../../src/log/entry/create-log-input.js';
import { FIELDS, laterColumns } from '../../src/log/entry/fields.js';
import { Identifier } from '../../src/log/entry/identifier.js';
import { LeafVersion } from '../../src/log/entry/leaf.js';
import { insertColumns, prepareEntry } from '../../src/log/write/prepare.js';
import { storeEntries } from '../../src/log/write/store.js';

const identifier = new Identifier();
const COLUMNS = insertColumns();
const LATER = laterColumns(1);

/** Stores entries as releases did that sealed under leaf version 1: what came later is null. They wait to be sequenced. */
export async function storeFirstVersion(
  database: Pick<Database, 'write'>,
  inputs: readonly (CreateLogInput & { tenantId: string })[],
): Promise<void> {
  const prepared = inputs.map((input) => {
    const given = checkInput(input, { kind: 'module', module: '*', ip: null, agent: null });
    const checked = { ...given, onBehalfOfName: null, resourceName: null };
    const layout = { fields: FIELDS, leaf: new LeafVersion(1) };
    const each = prepareEntry(checked, identifier.next(), undefined, layout);
    const values = each.values.map((value, at) => (LATER.includes(COLUMNS[at]!) ? null : value));
    return { ...each, values };
  });
  const tenantIds = [...new Set(inputs.map(({ tenantId }) => tenantId))];
  await database.write(tenantIds, (execute) => storeEntries(execute, prepared));
}
