import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  OverlappingFieldsCanBeMergedRule,
  specifiedRules,
  type ValidationRule,
  validate,
} from 'graphql';
import { documentError, LIMITS } from './limits.js';
import { overlappingFieldsRule } from './overlapping-fields.js';
import { placesRule } from './value-errors.js';

/** Says what is wrong with a document. Each document is looked at once. */
export type ValidateDocument = (document: DocumentNode) => readonly GraphQLError[];

/**
 * Makes the validation of a schema's documents: the rules of the specification, in time linear in the document. Queries,
 * mutations and subscriptions go through it, whatever brings them.
 */
export function documentValidator(
  schema: GraphQLSchema,
  { introspection }: { readonly introspection: boolean },
): ValidateDocument {
  const rules: ValidationRule[] = [
    ...specifiedRules.filter((rule) => rule !== OverlappingFieldsCanBeMergedRule),
    overlappingFieldsRule,
    placesRule,
    ...(introspection ? [] : [NoSchemaIntrospectionCustomRule]),
  ];
  const known = new WeakMap<DocumentNode, readonly GraphQLError[]>();
  return (document) => {
    let errors = known.get(document);
    if (errors === undefined) {
      const oversized = documentError(document);
      errors = oversized ? [oversized] : validate(schema, document, rules, { maxErrors: LIMITS.errors });
      known.set(document, errors);
    }
    return errors;
  };
}
