import type { DataStep } from './data-path.js';
import type { Span } from './fault.js';
import type { FieldName, Operator } from './fields.js';

export interface QueryText {
  readonly is: string;
}
export interface QueryPrefix {
  /** Every value that begins so. */
  readonly prefix: string;
}

export type QueryValue =
  /** `written`: of times, how it is printed where that depends on now or the time zone. */
  | (QueryText & { readonly written?: string })
  | QueryPrefix
  /** `actor:none`, `client:none` */
  | { readonly none: true }
  /** `data.error:*` */
  | { readonly exists: true }
  /** `resource:type`, `resource:type/id` */
  | { readonly type: string; readonly id?: QueryText | QueryPrefix };

/**
 * One term, checked. Values are in the form in which they are stored: UUIDs in lower case, names of enumerations as
 * GraphQL has them, addresses without port and zone, times as instants in UTC with microseconds.
 */
export interface QueryTerm extends Span {
  /** Null for a text. */
  readonly field: FieldName | null;
  /** Of field `data`. */
  readonly path?: readonly DataStep[];
  readonly negated: boolean;
  /** Other than `:` with `severity` and `data` alone, and there with one value. */
  readonly op: Operator;
  /** Any of them; at least one, and more than one with `:` alone. */
  readonly values: readonly QueryValue[];
}

/** Bounds; those of text are in Unicode code points. */
export const MAX_LINE = 2000;
export const MAX_TERMS = 50;
export const MAX_VALUES = 20;
export const MAX_VALUE = 320;
export const MAX_RESOURCE_ID = 1024;
export const MAX_TEXT = 255;

/** Whether a text has more than `max` code points. */
export const isLonger = (text: string, max: number): boolean =>
  text.length > max && (text.length > 2 * max || Array.from(text).length > max);
