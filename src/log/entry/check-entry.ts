import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Author } from '../../auth/scope.js';
import { clip, type Fault, forbidden, ReelError } from '../../errors.js';
import { nearest } from '../../query-line/nearest.js';
import { ACTOR_TYPES, ActorType } from './actor-type.js';
import { TEXT_BOUNDS } from './bounds.js';
import { type CheckedData, checkData } from './check-data.js';
import type { CreateLogInput } from './create-log-input.js';
import type { DataRules } from './data-rules.js';
import { FieldReader, type InputName, mendText } from './field-reader.js';
import { snake } from './fields.js';
import { parseAddress, peerAddress } from './ip-address.js';
import type { LogEntry } from './log-entry.entity.js';
import { isOwnModule, OWN_MODULE } from './module-name.js';
import { LogOrigin } from './origin.js';
import { OUTCOMES } from './outcome.js';
import { LogSeverity, SEVERITIES } from './severity.js';

/** Fields of an entry that Reel generates when it stores it. */
type GeneratedField = 'id' | 'createdAt' | 'occurredAt' | 'sequence' | 'erasedAt';

/** An entry as it will be stored, without what the writer generates: id, created_at, salts and digests. */
export interface CheckedEntry extends Omit<LogEntry, GeneratedField> {
  /** data as compact JSON, at most 65,536 bytes. */
  dataText: string | null;
  /** In the form of an entry's times; null if not given: then it equals createdAt. */
  occurredAt: string | null;
  idempotencyKey: string | null;
  /** Whose idempotency keys these are: `module:NAME` (the entry's module), `person:ID` or `person:sha256:DIGEST`. */
  writer: string;
  /** SHA-256 of the RFC 8785 JSON of the input, after defaults; only with an idempotency key. */
  contentHash: Buffer | null;
}

/** `reelItself`: for Reel's own entries, the only ones that may be of module `reel`. */
export interface CheckOptions {
  reelItself?: boolean;
  rules?: DataRules | null | undefined;
}

/** An input whose fields are as they should be, to which rules on its data may still be applied. */
export interface ReadEntry {
  readonly entry: Omit<CheckedEntry, 'contentHash' | 'dataText' | 'data' | 'repaired'>;
  readonly data: CheckedData | null;
  readonly repaired: ReadonlySet<InputName>;
  readonly repair: boolean;
  /** What an idempotency key covers beside the data. */
  readonly hashed: Readonly<Record<string, unknown>>;
}

/** Every field of an input. */
export const INPUT_NAMES = [
  'module',
  'action',
  'severity',
  'actorId',
  'actorEmail',
  'actorName',
  'actorType',
  'onBehalfOfId',
  'onBehalfOfName',
  'tenantId',
  'clientId',
  'resourceType',
  'resourceId',
  'resourceName',
  'outcome',
  'data',
  'ipAddress',
  'userAgent',
  'requestId',
  'occurredAt',
  'repair',
  'idempotencyKey',
] as const satisfies readonly InputName[];

const KNOWN: ReadonlySet<string> = new Set(INPUT_NAMES);
const DAY_MS = 86_400_000;

/**
 * Checks an author's input and returns the entry to be stored. Lengths are in Unicode code points. Empty text in a
 * descriptive field counts as not given. Throws one BAD_USER_INPUT with every fault of the input (loc: the field, and
 * the path in data), or FORBIDDEN.
 */
export const checkInput = (input: CreateLogInput, author: Author, options: CheckOptions = {}): CheckedEntry =>
  completeEntry(readInput(input, author, options), options.rules);

/** The first half of checkInput, without rules on data. Errors: the same. */
export function readInput(input: CreateLogInput, author: Author, options: CheckOptions = {}): ReadEntry {
  const faults: Fault[] = [];
  const entry = readEntry(input, author, options, faults);
  if (entry === null || faults.length > 0) throw inputRefusal(faults);
  return entry;
}

/** The second half: the rules are applied before anything is hashed. Errors: BAD_USER_INPUT with every fault that they find. */
export function completeEntry(read: ReadEntry, rules?: DataRules | null): CheckedEntry {
  const { entry, repair, hashed } = read;
  const faults: Fault[] = [];
  const { module, action, idempotencyKey } = entry;
  const isModule = entry.origin === LogOrigin.MODULE;
  const data = rules ? rules.apply({ module, action, isModule, repair }, read.data, faults) : read.data;
  if (faults.length > 0) throw inputRefusal(faults);
  const repaired = new Set(read.repaired);
  if (data?.repaired) repaired.add('data');
  return {
    ...entry,
    data: data?.data ?? null,
    dataText: data?.text ?? null,
    repaired: [...repaired].map(snake).sort(),
    contentHash: idempotencyKey === null ? null : contentHash({ ...hashed, data: data?.data ?? null }),
  };
}

/** BAD_USER_INPUT with all faults, whose message is the first one's. */
export function inputRefusal(faults: Fault[]): ReelError {
  const others = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return new ReelError('BAD_USER_INPUT', `${faults[0]?.msg}${others}`, { faults });
}

function readEntry(
  input: CreateLogInput,
  author: Author,
  { reelItself = false }: CheckOptions,
  faults: Fault[],
): ReadEntry | null {
  const values: Readonly<Record<string, unknown>> = { ...input };
  refuseUnknown(values, faults);
  // Only modules may ask for repair; of a person it is a fault, below.
  const read = new FieldReader(values, faults, author.kind === 'module' && values.repair === true);
  const module = read.name('module', TEXT_BOUNDS.module.characters);
  if (module !== null && isOwnModule(module) && !reelItself)
    throw forbidden(`The module name ${OWN_MODULE} is reserved`);
  if (author.kind === 'module' && author.module !== '*' && module !== null && module !== author.module)
    throw forbidden(`This credential belongs to module ${clip(author.module)}, the entry to ${clip(module)}`);
  const action = read.name('action', TEXT_BOUNDS.action.characters);
  const severity = values.severity === undefined ? LogSeverity.INFO : read.oneOf('severity', SEVERITIES);
  const given = readOptional(input, read, faults);
  const idempotencyKey =
    input.idempotencyKey == null ? null : read.key('idempotencyKey', TEXT_BOUNDS.idempotencyKey.characters);
  const authored = author.kind === 'module' ? moduleFields(given, read) : personFields(given, author, read);
  if (faults.length > 0 || module === null || action === null || severity === null) return null;
  if (authored.tenantId === null) return null;
  const { data, repair, ...fields } = given;
  const content = { ...fields, module, action, severity, ...authored.content };
  return {
    entry: {
      ...content,
      ...authored.stored,
      tenantId: authored.tenantId,
      idempotencyKey,
      writer: author.kind === 'module' ? `module:${module}` : personalWriter(author),
    },
    data,
    repaired: read.repaired,
    repair,
    hashed: { ...content, ipAddress: hashedAddress(input.ipAddress, given.ipAddress) },
  };
}

/** Kept after the entry is erased, so without the e-mail address of a person who has no id. */
function personalWriter({ id, subject, tenantId }: Extract<Author, { kind: 'person' }>): string {
  if (id !== null) return `person:${id}`;
  const digest = createHash('sha256').update(`${tenantId}\n${subject}`).digest('hex');
  return `person:sha256:${digest}`;
}

/** The value of an unknown field would be lost from an entry that can never be corrected. */
function refuseUnknown(values: Readonly<Record<string, unknown>>, faults: Fault[]): void {
  for (const name of Object.keys(values)) {
    if (KNOWN.has(name) || values[name] === undefined) continue;
    const shown = clip(name).slice(1, -1);
    faults.push({
      type: 'extra_forbidden',
      loc: [shown],
      msg: `${shown}: expected a field of an entry; did you mean ${nearest(name, INPUT_NAMES)}?`,
      input: null,
    });
  }
}

type OptionalFields = ReturnType<typeof readOptional>;

/** Reads the optional fields, of a module or a person. */
function readOptional(input: CreateLogInput, read: FieldReader, faults: Fault[]) {
  let email: string | null = null;
  let behalf: string | null = null;
  const actorId = read.personId('actorId', TEXT_BOUNDS.actorId, (address) => {
    email = mendText(address, TEXT_BOUNDS.actorEmail);
  });
  const onBehalfOfId = read.personId('onBehalfOfId', TEXT_BOUNDS.onBehalfOfId, (address) => {
    behalf = mendText(address, TEXT_BOUNDS.onBehalfOfName);
  });
  const data = input.data == null ? null : checkData(input.data, faults, { repair: read.repair });
  return {
    actorId,
    actorEmail: read.text('actorEmail', TEXT_BOUNDS.actorEmail) ?? email,
    actorName: read.text('actorName', TEXT_BOUNDS.actorName),
    actorType: input.actorType == null ? null : read.oneOf('actorType', ACTOR_TYPES),
    onBehalfOfId,
    onBehalfOfName: read.text('onBehalfOfName', TEXT_BOUNDS.onBehalfOfName) ?? behalf,
    tenantId: read.uuid('tenantId'),
    clientId: read.uuid('clientId'),
    resourceType: read.text('resourceType', TEXT_BOUNDS.resourceType),
    resourceId: read.id('resourceId', TEXT_BOUNDS.resourceId),
    resourceName: read.text('resourceName', TEXT_BOUNDS.resourceName),
    outcome: input.outcome == null ? null : read.oneOf('outcome', OUTCOMES),
    ipAddress: read.address('ipAddress'),
    userAgent: read.text('userAgent', TEXT_BOUNDS.userAgent),
    requestId: read.id('requestId', TEXT_BOUNDS.requestId),
    occurredAt: read.instant('occurredAt', Date.now() + DAY_MS),
    data,
    repair: read.boolean('repair'),
  };
}

/** What depends on the kind of author: the content that an idempotency key covers, and what is stored besides. */
interface AuthoredFields {
  tenantId: string | null;
  content: Pick<OptionalFields, 'tenantId' | 'actorId' | 'actorEmail' | 'actorName'>;
  stored: Pick<
    CheckedEntry,
    'origin' | 'actorId' | 'actorEmail' | 'actorName' | 'actorType' | 'ipAddress' | 'userAgent' | 'requestId'
  >;
}

function moduleFields(given: OptionalFields, read: FieldReader): AuthoredFields {
  if (given.tenantId === null) read.require('tenantId');
  const { tenantId, actorId, actorEmail, actorName, ipAddress, userAgent, requestId } = given;
  const isSomebody = actorId !== null || actorEmail !== null || actorName !== null;
  return {
    tenantId,
    content: { tenantId, actorId, actorEmail, actorName },
    stored: {
      origin: LogOrigin.MODULE,
      actorId,
      actorEmail,
      actorName,
      actorType: given.actorType ?? (isSomebody ? ActorType.USER : ActorType.SYSTEM),
      ipAddress,
      userAgent,
      requestId,
    },
  };
}

const ONLY_MODULES = ['actorType', 'onBehalfOfId', 'onBehalfOfName', 'ipAddress', 'userAgent'] as const;

function personFields(
  given: OptionalFields,
  author: Extract<Author, { kind: 'person' }>,
  read: FieldReader,
): AuthoredFields {
  const sameEmail = (a: string, b: string | null) => a.toLowerCase() === b?.toLowerCase();
  read.mustBe('tenantId', given.tenantId, author.tenantId, 'the tenant of the request');
  read.mustBe('actorId', given.actorId, author.id, "the credential's own id");
  read.mustBe('actorEmail', given.actorEmail, author.email, "the credential's own e-mail address", sameEmail);
  read.mustBe('actorName', given.actorName, author.name, "the credential's own name");
  for (const field of ONLY_MODULES)
    read.mustBe(field, given[field], null, 'nothing, since only modules may set it');
  if (given.repair) read.fault('repair', 'value_error', 'nothing, since only modules may set it', true);
  if (given.clientId !== null && author.clients !== null && !author.clients.includes(given.clientId))
    throw forbidden(`No grant for client ${given.clientId}`);
  return {
    tenantId: author.tenantId,
    content: { tenantId: author.tenantId, actorId: author.subject, actorEmail: null, actorName: null },
    stored: {
      origin: LogOrigin.BROWSER,
      actorId: author.id,
      actorEmail: cut(author.email, TEXT_BOUNDS.actorEmail.characters),
      actorName: cut(author.name, TEXT_BOUNDS.actorName.characters),
      actorType: ActorType.USER,
      ipAddress: peerAddress(author.ip),
      userAgent: cut(author.agent, TEXT_BOUNDS.userAgent.characters),
      requestId: given.requestId ?? author.requestId,
    },
  };
}

/** Text from a credential or a connection is never refused: it is cut and made storable. */
function cut(text: string | null, max: number): string | null {
  if (!text) return null;
  const storable = text.replaceAll('\0', '').toWellFormed();
  return (storable.length > max ? Array.from(storable).slice(0, max).join('') : storable) || null;
}

/** Fields of the second edition, hashed only if given, so that keys of the first edition still match. */
const ADDED_FIELDS: ReadonlySet<string> = new Set([
  'actorType',
  'onBehalfOfName',
  'resourceName',
  'outcome',
] satisfies InputName[]);

/** The first edition kept an IPv4-mapped address as one: under keys taken then, it still counts as that. */
const hashedAddress = (sent: string | null | undefined, stored: string | null): string | null =>
  stored && (parseAddress(sent ?? '') ?? stored);

const contentHash = (content: Record<string, unknown>): Buffer =>
  createHash('sha256')
    .update(
      canonicalize(
        Object.fromEntries(
          Object.entries(content).filter(([name, value]) => value !== null || !ADDED_FIELDS.has(name)),
        ),
      ) as string,
    )
    .digest();
