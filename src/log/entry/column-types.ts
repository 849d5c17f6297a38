import { type Platform, type TransformContext, Type, ValidationError } from '@mikro-orm/core';
import { parseInstant } from '../../query-line/values.js';
import { ACTOR_TYPES, type ActorType } from './actor-type.js';
import { instant } from './instant.js';
import { normalizeAddress } from './ip-address.js';
import { type LogOrigin, ORIGINS } from './origin.js';
import { type LogOutcome, OUTCOMES } from './outcome.js';
import { type LogSeverity, SEVERITIES } from './severity.js';

/**
 * How MikroORM reads a column of an entry and compares it in a filter. Errors: ValidationError, which names the
 * property, what was expected and what was given. Nothing is converted in SQL: MikroORM would put the expression into WHERE
 * and ORDER BY too, where no index could serve it.
 */
abstract class ColumnType<T, Stored> extends Type<T | null, Stored | null> {
  protected abstract read(stored: Stored): T;
  protected abstract write(value: T): Stored;

  override convertToJSValue(stored: Stored | null): T | null {
    return stored == null ? (stored as null) : this.read(stored);
  }

  override convertToDatabaseValue(value: T | null, _: Platform, context?: TransformContext): Stored | null {
    // { actorId: { $exists: true } } compares with no value of the column.
    return value == null || context?.key === '$exists' ? (value as null) : this.write(value);
  }

  /** Reads a value out of a cursor of em.findByCursor. */
  override fromJSON(value: unknown): T {
    return this.read(this.write(value as T));
  }

  override get runtimeType(): string {
    return 'string';
  }

  protected refuse(expected: string, value: unknown): never {
    const got =
      typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : Object.prototype.toString.call(value);
    throw new ValidationError(`${this.prop?.name ?? this.name}: expected ${expected}, got ${got}`);
  }
}

/** A name, stored as its index in a list, which also orders names. */
abstract class NameType<T extends string> extends ColumnType<T, number> {
  protected abstract readonly names: readonly T[];

  protected read(index: number): T {
    return this.names[index] ?? this.refuse(`a number from 0 to ${this.names.length - 1}`, String(index));
  }

  protected write(name: T): number {
    const index = this.names.indexOf(name);
    return index < 0 ? this.refuse(`one of ${this.names.join(', ')}`, name) : index;
  }

  override compareAsType(): string {
    return 'number';
  }

  override getColumnType(): string {
    return 'smallint';
  }
}

export class SeverityType extends NameType<LogSeverity> {
  protected readonly names = SEVERITIES;
}

export class OriginType extends NameType<LogOrigin> {
  protected readonly names = ORIGINS;
}

export class OutcomeType extends NameType<LogOutcome> {
  protected readonly names = OUTCOMES;
}

export class ActorTypeType extends NameType<ActorType> {
  protected readonly names = ACTOR_TYPES;
}

/** A list of strings; an empty one is stored as null. */
export class ListType extends ColumnType<string[], string[]> {
  protected read(stored: string[]): string[] {
    return stored;
  }

  protected write(value: string[]): string[] {
    return value;
  }

  override convertToJSValue(stored: string[] | null): string[] {
    return stored ?? [];
  }

  override getColumnType(): string {
    return 'text[]';
  }
}

/** A timestamptz as text in UTC with six digits of a second: `2026-01-05T10:00:00.123456Z`. */
export class InstantType extends ColumnType<string, string> {
  /** Accepts what a session of any time zone prints in DateStyle ISO. */
  protected read(stored: string): string {
    return parseInstant(instant(String(stored))) ?? this.refuse('a timestamptz in DateStyle ISO', stored);
  }

  /** Accepts any RFC 3339 instant, but no Date, which has only milliseconds. */
  protected write(value: string): string {
    const parsed = typeof value === 'string' ? parseInstant(value) : null;
    return parsed ?? this.refuse('an RFC 3339 instant as text', value);
  }

  override compareAsType(): string {
    return 'string';
  }

  override getColumnType(): string {
    return 'timestamptz';
  }
}

/** An IP address as text, as PostgreSQL's host(inet) prints it. */
export class AddressType extends ColumnType<string, string> {
  protected read(stored: string): string {
    return stored.split('/')[0]!;
  }

  protected write(value: string): string {
    const address = typeof value === 'string' ? normalizeAddress(value) : null;
    return address ?? this.refuse('an IP address', value);
  }

  override compareAsType(): string {
    return 'string';
  }

  override getColumnType(): string {
    return 'inet';
  }
}
