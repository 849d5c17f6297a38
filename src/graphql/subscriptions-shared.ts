import {
  type DocumentNode,
  type ExecutionArgs,
  getNamedType,
  isLeafType,
  isObjectType,
  print,
  visit,
} from 'graphql';

/**
 * What a subscription asks of each entry, in words that are the same for all whose results are the same texts. null where
 * results hang on more than the entry: on who asks, as `related` and `proof` do, or on a variable.
 */
export function sharedWords({ schema, document, operationName }: ExecutionArgs): string | null {
  const [entry, change] = ['LogEntry', 'LogChange'].map((name) => schema.getType(name));
  const plain = new Set(['__typename', ...Object.keys(schema.getSubscriptionType()?.getFields() ?? {})]);
  for (const type of [entry, change])
    if (isObjectType(type))
      for (const field of Object.values(type.getFields())) {
        const named = getNamedType(field.type);
        if (field.args.length === 0 && (isLeafType(named) || named === change)) plain.add(field.name);
      }
  return isOf(plain, document) ? `${operationName ?? ''} ${print(document)}` : null;
}

/** Variables are left to the root field's arguments, which choose entries and say nothing of how they look. */
function isOf(plain: ReadonlySet<string>, document: DocumentNode): boolean {
  let all = true;
  visit(document, {
    VariableDefinition: () => false,
    Argument: () => false,
    Directive: () => {
      all = false;
    },
    Field: ({ name }) => {
      if (!plain.has(name.value)) all = false;
    },
  });
  return all;
}
