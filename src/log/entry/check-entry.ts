import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Author } from '../../auth/scope.js';
import { clip, type Fault, forbidden, ReelError } from '../../errors.js';
import { checkData } from './check-data.js';
import type { CreateLogInput } from './create-log-input.js';
import { FieldReader } from './field-reader.js';
import { peerAddress } from './ip-address.js';
import { LogOrigin } from './origin.js';
import { LogSeverity } from './severity.js';

/** The module name of Reel's own entries; nobody else may write under it. */
export const OWN_MODULE = 'reel';

/** An entry as it will be stored, but for what the writer makes: id, created_at, salts and digests. */
export interface CheckedEntry {
  module: string;
  action: string;
  severity: LogSeverity;
  origin: LogOrigin;
  actorId: string | null;
  actorEmail: string | null;
  actorName: string | null;
  onBehalfOfId: string | null;
  tenantId: string;
  clientId: string | null;
  resourceType: string | null;
  /** A UUID in lower case. */
  resourceId: string | null;
  data: Record<string, unknown> | null;
  /** data as compact JSON, at most 65,536 bytes. */
  dataText: string | null;
  /** As host(inet) prints it. */
  ipAddress: string | null;
  userAgent: string | null;
  requestId: string | null;
  /** In the form of an entry's times; null where the input says nothing: then it equals createdAt. */
  occurredAt: string | null;
  idempotencyKey: string | null;
  /** Whose idempotency keys these are: `module:NAME` (the entry's module) or `person:UUID`. */
  writer: string;
  /** SHA-256 of the RFC 8785 JSON of what was said, after defaults; only with an idempotency key. */
  contentHash: Buffer | null;
}

/** Reel's own entries (who exported, who looked) are the only ones of module `reel`. */
export interface CheckOptions {
  reelItself?: boolean;
}

/**
 * What an author says as an entry to be stored. Lengths are in characters, that is Unicode code points. Empty text in
 * actorEmail, actorName, resourceType, resourceId, ipAddress and userAgent is as if not given.
 * Throws one BAD_USER_INPUT with every fault of the input (loc: the field, and the way into data), or FORBIDDEN.
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
  const read = new FieldReader(input as unknown as Record<string, unknown>, faults);
  const module = read.name('module', 100);
  if (module === OWN_MODULE && !reelItself) throw forbidden(`The module name ${OWN_MODULE} is Reel's own`);
  if (author.kind === 'module' && author.module !== '*' && module !== null && module !== author.module)
    throw forbidden(`This credential is of module ${clip(author.module)}, the entry of ${clip(module)}`);
  const said = {
    module,
    action: read.name('action', 255),
    severity: input.severity === undefined ? LogSeverity.INFO : read.severity('severity'),
    actorId: read.uuid('actorId'),
    actorEmail: read.text('actorEmail', 320),
    actorName: read.text('actorName', 255),
    onBehalfOfId: read.uuid('onBehalfOfId'),
    tenantId: read.uuid('tenantId'),
    clientId: read.uuid('clientId'),
    resourceType: read.text('resourceType', 100),
    resourceId: read.anyId('resourceId', 255),
    ipAddress: read.address('ipAddress'),
    userAgent: read.text('userAgent', 1000),
    requestId: read.uuid('requestId'),
    occurredAt: read.instant('occurredAt'),
    data: input.data === null || input.data === undefined ? null : checkData(input.data, faults),
  };
  const idempotencyKey = input.idempotencyKey == null ? null : read.name('idempotencyKey', 200);
  const own = author.kind === 'module' ? ofModule(said, author, read) : ofPerson(said, author, read);
  if (faults.length > 0 || said.module === null || said.action === null || said.severity === null)
    return null;
  if (own.tenantId === null) return null;
  const { module: name, action, severity } = said;
  const content = { ...said, ...own.content, data: said.data?.data ?? null };
  return {
    ...content,
    ...own.stored,
    module: name,
    action,
    severity,
    tenantId: own.tenantId,
    dataText: said.data?.text ?? null,
    idempotencyKey,
    writer: author.kind === 'module' ? `module:${name}` : `person:${author.id}`,
    contentHash: idempotencyKey === null ? null : contentHash(content),
  };
}

/** What the author's kind decides: what counts as said, and what is stored beside it. */
interface Own {
  tenantId: string | null;
  content: {
    tenantId: string | null;
    actorId: string | null;
    actorEmail: string | null;
    actorName: string | null;
  };
  stored: Pick<CheckedEntry, 'origin' | 'actorEmail' | 'actorName' | 'ipAddress' | 'userAgent'>;
}

type Said = { [field in 'tenantId' | 'actorId' | 'actorEmail' | 'actorName']: string | null } & {
  [field in 'onBehalfOfId' | 'clientId' | 'ipAddress' | 'userAgent']: string | null;
};

function ofModule(said: Said, author: Author, read: FieldReader): Own {
  if (said.tenantId === null) read.require('tenantId');
  const { tenantId, actorId, actorEmail, actorName } = said;
  return {
    tenantId,
    content: { tenantId, actorId, actorEmail, actorName },
    stored: {
      origin: LogOrigin.MODULE,
      actorEmail,
      actorName,
      ipAddress: said.ipAddress ?? peerAddress(author.ip),
      userAgent: said.userAgent ?? cut(author.agent, 1000),
    },
  };
}

function ofPerson(said: Said, author: Extract<Author, { kind: 'person' }>, read: FieldReader): Own {
  const same = (a: string, b: string | null) => a === b;
  const sameEmail = (a: string, b: string | null) => a.toLowerCase() === b?.toLowerCase();
  read.mustBe('tenantId', said.tenantId, author.tenantId, 'the tenant of the call', same);
  read.mustBe('actorId', said.actorId, author.id, "the credential's own id", same);
  read.mustBe('actorEmail', said.actorEmail, author.email, "the credential's own e-mail address", sameEmail);
  read.mustBe('actorName', said.actorName, author.name, "the credential's own name", same);
  for (const field of ['onBehalfOfId', 'ipAddress', 'userAgent'] as const)
    read.mustBe(field, said[field], null, 'nothing, since only modules may say it', same);
  if (said.clientId !== null && author.clients !== null && !author.clients.includes(said.clientId))
    throw forbidden(`No grant in client ${said.clientId}`);
  return {
    tenantId: author.tenantId,
    content: { tenantId: author.tenantId, actorId: author.id, actorEmail: null, actorName: null },
    stored: {
      origin: LogOrigin.BROWSER,
      actorEmail: cut(author.email, 320),
      actorName: cut(author.name, 255),
      ipAddress: peerAddress(author.ip),
      userAgent: cut(author.agent, 1000),
    },
  };
}

/** What a credential or a connection says is never refused: it is cut and made storable. */
function cut(text: string | null, most: number): string | null {
  if (!text) return null;
  const storable = text.replaceAll('\0', '').toWellFormed();
  return (storable.length > most ? Array.from(storable).slice(0, most).join('') : storable) || null;
}

const contentHash = (content: Record<string, unknown>): Buffer =>
  createHash('sha256')
    .update(canonicalize(content) as string)
    .digest();
