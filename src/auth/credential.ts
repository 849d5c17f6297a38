import type { JWTPayload } from 'jose';
import { z } from 'zod';
import { unauthenticated } from '../errors.js';
import { isEmailAddress, parseUuid } from '../query-line/values.js';
import { type DisplayName, displayName } from './display-name.js';
import { type Grant, grantSchema, uuid } from './grant.js';

/** A module's credential; `module` is its name, or `*` for a gateway that writes for several. */
export interface ModuleCredential {
  readonly kind: 'module';
  readonly module: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Plain membership of a tenant. */
export interface Membership {
  readonly id: string;
  readonly name?: DisplayName;
}

/** A person's credential; `grants` and `tenants` are claims of the token. */
export interface PersonCredential {
  readonly kind: 'person';
  readonly id: string;
  readonly email: string | null;
  readonly name: string | null;
  readonly grants: readonly Grant[];
  readonly tenants: readonly Membership[];
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export type Credential = ModuleCredential | PersonCredential;

const isPlainText = (text: string): boolean => text.isWellFormed() && !/\p{Cc}/u.test(text);

/** Who a person is in an entry: a `sub` that is an e-mail address is that, not an id, since ids are sealed and stay. */
export const namedBy = ({
  id,
  email,
}: PersonCredential): Pick<PersonCredential, 'email'> & { id: string | null } =>
  isEmailAddress(id) ? { id: null, email: id } : { id, email };

/** A subject is any text that an entry can keep. */
const subject = z
  .string()
  .min(1)
  .max(255)
  .refine(isPlainText)
  .transform((text) => parseUuid(text) ?? text);

/** What cannot be stored with an entry later is refused here. */
const claimText = (max: number) =>
  z
    .string()
    .max(max)
    .refine(isPlainText)
    .nullish()
    .transform((text) => text || null);

/** A tenant's id, or `{id, name}`. */
const membership = z.union([
  uuid.transform((id): Membership => ({ id })),
  z
    .object({ id: uuid, name: displayName })
    .transform(({ id, name }): Membership => ({ id, ...(name !== undefined && { name }) })),
]);

/**
 * Leaves out malformed items, since tokens carry other modules' grants as well; a claim that is not a list makes the
 * whole token invalid.
 */
const wellFormed = <T>(shape: z.ZodType<T>) =>
  z
    .array(z.unknown())
    .nullish()
    .transform((items) =>
      (items ?? []).flatMap((item) => {
        const read = shape.safeParse(item);
        return read.success ? [read.data] : [];
      }),
    );

export const personClaims = z.object({
  sub: subject,
  email: claimText(320),
  name: claimText(255),
  grants: wellFormed(grantSchema),
  tenants: wellFormed(membership),
  exp: z.number(),
});

export const moduleClaims = z.object({
  module: z.string().min(1).max(100).refine(isPlainText),
  exp: z.number(),
});

const malformed = ({ issues }: z.ZodError): string =>
  `claims ${[...new Set(issues.map(({ path }) => String(path[0])))].join(', ')}: malformed or missing`;

/** The credential of a person with these verified claims. Errors: UNAUTHENTICATED where one is malformed. */
export function personOf(claims: JWTPayload, token: string): PersonCredential {
  const read = personClaims.safeParse(claims);
  if (!read.success) throw unauthenticated(malformed(read.error));
  const { sub, email, name, grants, tenants, exp } = read.data;
  return { kind: 'person', id: sub, email, name, grants, tenants, token, expiresAt: exp * 1000 };
}

/** The credential of a module with these verified claims. Errors: UNAUTHENTICATED where one is malformed. */
export function moduleOf(claims: JWTPayload): ModuleCredential {
  const read = moduleClaims.safeParse(claims);
  if (!read.success) throw unauthenticated(malformed(read.error));
  return { kind: 'module', module: read.data.module, expiresAt: read.data.exp * 1000 };
}
