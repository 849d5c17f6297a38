import type {
  CreateStreamInput,
  StreamFormat,
  StreamFragment,
  StreamKind,
  UpdateStreamInput,
} from '../generated.js';
import { fieldsOf, KINDS, type SettingField } from './kinds.js';

/** A header as it is typed. The value of a kept one is not known here. */
export interface DraftHeader {
  name: string;
  value: string;
  isKept: boolean;
}

/** What the form holds: texts as they are typed. */
export interface Draft {
  kind: StreamKind;
  name: string;
  format: StreamFormat;
  query: string;
  clientId: string;
  begin: 'now' | 'first' | 'after';
  after: string;
  settings: Record<string, string | boolean>;
  headers: DraftHeader[];
  secret: string;
  /** Takes an optional secret away. */
  withoutSecret: boolean;
}

/** Of a stream that is changed; without one, of a new one. */
export function draftOf(stream: StreamFragment | null): Draft {
  const kind = stream?.kind ?? 'WEBHOOK';
  const draft: Draft = {
    kind,
    name: stream?.name ?? '',
    format: stream?.format ?? 'REEL',
    query: stream?.query ?? '',
    clientId: stream?.clientId ?? '',
    begin: 'now',
    after: '',
    settings: {},
    headers: Object.keys((stream?.settings.headers ?? {}) as object).map((name) => ({
      name,
      value: '',
      isKept: true,
    })),
    secret: '',
    withoutSecret: false,
  };
  for (const { name, type, standard, isSecret } of fieldsOf(kind)) {
    const value = isSecret ? undefined : stream?.settings[name];
    if (type === 'truth') draft.settings[name] = Boolean(value ?? standard);
    else if (type === 'choice') draft.settings[name] = String(value ?? standard);
    else if (type !== 'headers') draft.settings[name] = value === undefined ? '' : String(value);
  }
  return draft;
}

/** The same for another kind; what both kinds have stays. */
export function ofKind(draft: Draft, kind: StreamKind): Draft {
  const { settings } = draftOf(null);
  const { formats } = KINDS[kind];
  const next: Draft = { ...draft, kind, settings: {}, secret: '', withoutSecret: false };
  for (const { name, type, standard } of fieldsOf(kind)) {
    const typed = draft.settings[name] ?? settings[name];
    const fits = type === 'truth' ? typeof typed === 'boolean' : typeof typed === 'string';
    if (type === 'truth') next.settings[name] = fits ? typed! : Boolean(standard);
    else if (type === 'choice') next.settings[name] = String(standard);
    else if (type !== 'headers') next.settings[name] = fits ? typed! : '';
  }
  return formats.includes(draft.format) ? next : { ...next, format: 'REEL' };
}

function settingOf({ name, type, standard }: SettingField, draft: Draft): unknown {
  if (type === 'headers') {
    const named = draft.headers.filter((header) => header.name.trim() !== '');
    if (named.length === 0) return undefined;
    return Object.fromEntries(
      named.map(({ name, value, isKept }) => [name.trim(), isKept && value === '' ? null : value]),
    );
  }
  const typed = draft.settings[name];
  if (type === 'truth' || type === 'choice') return typed === standard ? undefined : typed;
  const text = type === 'pem' ? String(typed ?? '') : String(typed ?? '').trim();
  if (text.trim() === '') return undefined;
  return type === 'whole' ? Number(text) : text;
}

export function createInputOf(draft: Draft): CreateStreamInput {
  const settings: Record<string, unknown> = {};
  for (const field of fieldsOf(draft.kind)) {
    const value = settingOf(field, draft);
    if (value !== undefined) settings[field.name] = value;
  }
  return {
    name: draft.name.trim(),
    kind: draft.kind,
    format: draft.format,
    query: draft.query.trim(),
    settings,
    ...(draft.clientId && { clientId: draft.clientId }),
    ...(draft.secret && { secret: draft.secret.trim() }),
    ...(draft.begin === 'first' && { after: 0 }),
    ...(draft.begin === 'after' && { after: Number(draft.after) }),
  };
}

/** What the draft changes. */
export function updateInputOf(draft: Draft, stream: StreamFragment): UpdateStreamInput {
  const settings: Record<string, unknown> = {};
  for (const field of fieldsOf(draft.kind)) {
    const { name, standard, isSecret } = field;
    const value = settingOf(field, draft);
    const before = stream.settings[name];
    if (isSecret && name !== 'headers') {
      // The key goes with its certificate.
      if (value !== undefined) settings[name] = value;
      else if (before !== undefined && draft.settings.clientCertificate === '') settings[name] = null;
    } else if (JSON.stringify(value ?? standard) !== JSON.stringify(before ?? standard))
      settings[name] = value ?? null;
  }
  const ownPair = settings.signing === 'v1a' && draft.secret === '';
  return {
    ...(draft.name.trim() !== stream.name && { name: draft.name.trim() }),
    ...(draft.format !== stream.format && { format: draft.format }),
    ...(draft.query.trim() !== stream.query && { query: draft.query.trim() }),
    ...(draft.clientId !== (stream.clientId ?? '') && { clientId: draft.clientId || null }),
    ...(Object.keys(settings).length > 0 && { settings }),
    ...(draft.secret
      ? { secret: draft.secret.trim() }
      : (draft.withoutSecret || ownPair) && { secret: null }),
  };
}

/** Whether it goes elsewhere than before. */
export const isMoved = (draft: Draft, stream: StreamFragment): boolean =>
  fieldsOf(draft.kind).some(
    (field) => field.isDestination && settingOf(field, draft) !== stream.settings[field.name],
  );

/** Whether the form must have a secret. Reel makes the pair of keys of `v1a` itself. */
export function needsSecret(draft: Draft, stream: StreamFragment | null): boolean {
  if (draft.kind === 'WEBHOOK') {
    if (draft.settings.signing === 'v1a') return false;
    return !stream || (stream.settings.signing ?? 'v1') !== 'v1' || isMoved(draft, stream);
  }
  const { secret } = KINDS[draft.kind];
  if (secret === 'none' || draft.withoutSecret) return false;
  if (!stream) return secret === 'required';
  return stream.hasSecret && isMoved(draft, stream);
}

/** A new secret of a webhook: 32 bytes, as Standard Webhooks writes them. */
export function newWebhookSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}
