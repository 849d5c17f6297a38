import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Author } from '../../auth/scope.js';
import { clip, type Fault, forbidden, ReelError } from '../../errors.js';
import { ACTOR_TYPES, ActorType } from './actor-type.js';
import { checkData } from './check-data.js';
import type { CreateLogInput } from './create-log-input.js';
import { FieldReader, type InputName, mendText } from './field-reader.js';
import { snake } from './fields.js';
import { peerAddress } from './ip-address.js';
import type { LogEntry } from './log-entry.entity.js';
import { isOwnModule, OWN_MODULE } from './module-name.js';
import { nearest } from './nearest.js';
import { LogOrigin } from './origin.js';
import { OUTCOMES } from './outcome.js';
import { LogSeverity, SEVERITIES } from './severity.js';

/** Fields of an entry that Reel makes when it stores it. */
type MadeField = 'id' | 'createdAt' | 'occurredAt' | 'sequence' | 'erasedAt';

/** An entry as it will be stored, but for what the writer makes: id, created_at, salts and digests. */
export interface CheckedEntry extends Omit<LogEntry, MadeField> {
  /** data as compact JSON, at most 65,536 bytes. */
  dataText: string | null;
  /** In the form of an entry's times; null where the input says nothing: then it equals createdAt. */
  occurredAt: string | null;
  idempotencyKey: string | null;
  /** Whose idempotency keys these are: `module:NAME` (the entry's module) or `person:ID`. */
  writer: string;
  /** SHA-256 of the RFC 8785 JSON of what was said, after defaults; only with an idempotency key. */
  contentHash: Buffer | null;
}

/** Reel's own entries (who exported, who looked) are the only ones of module `reel`. */
export interface CheckOptions {
  reelItself?: boolean;
}

/** Everything that an input may say. */
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
 * What an author says as an entry to be stored. Lengths are in characters, that is Unicode code points. Empty text in
 * a descriptive field is as if not given. Throws one BAD_USER_INPUT with every fault of the input (loc: the field, and
 * the path in data), or FORBIDDEN.
 */
export function checkInput(input: CreateLogInput, author: Author, options: CheckOptions = {}): CheckedEntry {
  const faults: Fault[] = [];
  const entry = readEntry(input, author, options, faults);
  if (entry === null || faults.length > 0) throw faulty(faults);
  return entry;
}

/** As checkInput for 1 to 1,000 inputs; each fault's loc begins with the input's index. */
export function checkInputs(inputs: readonly CreateLogInput[], author: Author): CheckedEntry[] {
  const all: Fault[] = [];
  const entries: CheckedEntry[] = [];
  for (const [index, input] of inputs.entries()) {
    const faults: Fault[] = [];
    const entry = readEntry(input, author, {}, faults);
    if (entry !== null) entries.push(entry);
    all.push(
      ...faults.map((each) => ({ ...each, loc: [index, ...each.loc], msg: `inputs[${index}].${each.msg}` })),
    );
  }
  if (all.length > 0) throw faulty(all);
  return entries;
}

function faulty(faults: Fault[]): ReelError {
  const others = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return new ReelError('BAD_USER_INPUT', `${faults[0]?.msg}${others}`, { faults });
}

function readEntry(
  input: CreateLogInput,
  author: Author,
  { reelItself = false }: CheckOptions,
  faults: Fault[],
): CheckedEntry | null {
  const values: Readonly<Record<string, unknown>> = { ...input };
  refuseUnknown(values, faults);
  // Only modules may ask for it; that a person did is a fault below.
  const read = new FieldReader(values, faults, author.kind === 'module' && values.repair === true);
  const module = read.name('module', 100);
  if (module !== null && isOwnModule(module) && !reelItself)
    throw forbidden(`The module name ${OWN_MODULE} is Reel's own`);
  if (author.kind === 'module' && author.module !== '*' && module !== null && module !== author.module)
    throw forbidden(`This credential is of module ${clip(author.module)}, the entry of ${clip(module)}`);
  const action = read.name('action', 255);
  const severity = values.severity === undefined ? LogSeverity.INFO : read.oneOf('severity', SEVERITIES);
  const said = readSaid(input, read, faults);
  const idempotencyKey = input.idempotencyKey == null ? null : read.key('idempotencyKey', 200);
  const own = author.kind === 'module' ? ofModule(said, read) : ofPerson(said, author, read);
  if (faults.length > 0 || module === null || action === null || severity === null) return null;
  if (own.tenantId === null) return null;
  const { data, repair: _, ...fields } = said;
  const content = { ...fields, module, action, severity, ...own.content, data: data?.data ?? null };
  return {
    ...content,
    ...own.stored,
    tenantId: own.tenantId,
    repaired: [...read.repaired].map(snake).sort(),
    dataText: data?.text ?? null,
    idempotencyKey,
    writer: author.kind === 'module' ? `module:${module}` : `person:${author.subject}`,
    contentHash: idempotencyKey === null ? null : contentHash(content),
  };
}

/** What is not known would be lost from an entry that can never be corrected. */
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

type Said = ReturnType<typeof readSaid>;

/** The optional fields, whoever says them. */
function readSaid(input: CreateLogInput, read: FieldReader, faults: Fault[]) {
  let email: string | null = null;
  let behalf: string | null = null;
  const actorId = read.personId('actorId', { characters: 255 }, (address) => {
    email = mendText(address, { characters: 320 });
  });
  const onBehalfOfId = read.personId('onBehalfOfId', { characters: 255 }, (address) => {
    behalf = mendText(address, { characters: 255 });
  });
  const data = input.data == null ? null : checkData(input.data, faults, { repair: read.repair });
  if (data?.repaired) read.repaired.add('data');
  return {
    actorId,
    actorEmail: read.text('actorEmail', { characters: 320 }) ?? email,
    actorName: read.text('actorName', { characters: 255 }),
    actorType: input.actorType == null ? null : read.oneOf('actorType', ACTOR_TYPES),
    onBehalfOfId,
    onBehalfOfName: read.text('onBehalfOfName', { characters: 255 }) ?? behalf,
    tenantId: read.uuid('tenantId'),
    clientId: read.uuid('clientId'),
    resourceType: read.text('resourceType', { characters: 100 }),
    resourceId: read.id('resourceId', { characters: 1_024, bytes: 2_048 }),
    resourceName: read.text('resourceName', { characters: 255 }),
    outcome: input.outcome == null ? null : read.oneOf('outcome', OUTCOMES),
    ipAddress: read.address('ipAddress'),
    userAgent: read.text('userAgent', { characters: 1_000 }),
    requestId: read.id('requestId', { characters: 255 }),
    occurredAt: read.instant('occurredAt', Date.now() + DAY_MS),
    data,
    repair: read.boolean('repair'),
  };
}

/** What the author's kind decides: what counts as said, and what is stored beside it. */
interface Own {
  tenantId: string | null;
  content: Pick<Said, 'tenantId' | 'actorId' | 'actorEmail' | 'actorName'>;
  stored: Pick<
    CheckedEntry,
    'origin' | 'actorId' | 'actorEmail' | 'actorName' | 'actorType' | 'ipAddress' | 'userAgent' | 'requestId'
  >;
}

function ofModule(said: Said, read: FieldReader): Own {
  if (said.tenantId === null) read.require('tenantId');
  const { tenantId, actorId, actorEmail, actorName, ipAddress, userAgent, requestId } = said;
  const isSomebody = actorId !== null || actorEmail !== null || actorName !== null;
  return {
    tenantId,
    content: { tenantId, actorId, actorEmail, actorName },
    stored: {
      origin: LogOrigin.MODULE,
      actorId,
      actorEmail,
      actorName,
      actorType: said.actorType ?? (isSomebody ? ActorType.USER : ActorType.SYSTEM),
      ipAddress,
      userAgent,
      requestId,
    },
  };
}

const ONLY_MODULES = ['actorType', 'onBehalfOfId', 'onBehalfOfName', 'ipAddress', 'userAgent'] as const;

function ofPerson(said: Said, author: Extract<Author, { kind: 'person' }>, read: FieldReader): Own {
  const sameEmail = (a: string, b: string | null) => a.toLowerCase() === b?.toLowerCase();
  read.mustBe('tenantId', said.tenantId, author.tenantId, 'the tenant of the call');
  read.mustBe('actorId', said.actorId, author.id, "the credential's own id");
  read.mustBe('actorEmail', said.actorEmail, author.email, "the credential's own e-mail address", sameEmail);
  read.mustBe('actorName', said.actorName, author.name, "the credential's own name");
  for (const field of ONLY_MODULES)
    read.mustBe(field, said[field], null, 'nothing, since only modules may say it');
  if (said.repair) read.fault('repair', 'value_error', 'nothing, since only modules may say it', true);
  if (said.clientId !== null && author.clients !== null && !author.clients.includes(said.clientId))
    throw forbidden(`No grant in client ${said.clientId}`);
  return {
    tenantId: author.tenantId,
    content: { tenantId: author.tenantId, actorId: author.subject, actorEmail: null, actorName: null },
    stored: {
      origin: LogOrigin.BROWSER,
      actorId: author.id,
      actorEmail: cut(author.email, 320),
      actorName: cut(author.name, 255),
      actorType: ActorType.USER,
      ipAddress: peerAddress(author.ip),
      userAgent: cut(author.agent, 1_000),
      requestId: said.requestId ?? author.requestId,
    },
  };
}

/** What a credential or a connection says is never refused: it is cut and made storable. */
function cut(text: string | null, most: number): string | null {
  if (!text) return null;
  const storable = text.replaceAll('\0', '').toWellFormed();
  return (storable.length > most ? Array.from(storable).slice(0, most).join('') : storable) || null;
}

/** Fields of the second edition, which count only where they are given, so that keys taken before still answer. */
const LATER: ReadonlySet<string> = new Set([
  'actorType',
  'onBehalfOfName',
  'resourceName',
  'outcome',
] satisfies InputName[]);

const contentHash = (content: Record<string, unknown>): Buffer =>
  createHash('sha256')
    .update(
      canonicalize(
        Object.fromEntries(
          Object.entries(content).filter(([name, value]) => value !== null || !LATER.has(name)),
        ),
      ) as string,
    )
    .digest();
