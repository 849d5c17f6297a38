import { LRUCache } from 'lru-cache';
import { badInput } from '../errors.js';
import { SpanKind, traced } from '../tracing.js';
import { connectionFault, type Egress, isAddressRefused } from './egress/egress.js';
import type { BatchToSend, Kind, Sender } from './kinds/kind.js';
import { KINDS } from './kinds/kinds.js';
import { answerText, type Outcome } from './kinds/outcome.js';
import type { CommonSettings } from './kinds/settings.js';
import { maskedOutcome } from './masked.js';
import type { StoredStream } from './store.js';
import { type SecretKeeper, type StreamSecrets, UnreadableSecrets } from './stream-secrets.js';

/** Connections to receivers that are kept open. */
const KEPT = 64;
const KEPT_MS = 60_000;

export const kindOf = ({ kind }: Pick<StoredStream, 'kind'>): Kind => {
  const known = KINDS[kind];
  if (!known) throw badInput('kind', Object.keys(KINDS).join(' or '), kind);
  return known;
};

interface Opened {
  readonly sender: Sender;
  readonly fingerprint: string;
  /** What it sends that is to be shown to nobody. */
  readonly secrets: readonly string[];
}

/** Connections to streams' receivers, each kept for as long as it is used and the stream stays as it is. */
export class Senders {
  private readonly open = new LRUCache<string, Opened>({
    max: KEPT,
    ttl: KEPT_MS,
    updateAgeOnGet: true,
    ttlAutopurge: true,
    dispose: ({ sender }) => sender.close(),
  });

  constructor(
    private readonly egress: Egress,
    private readonly secrets: SecretKeeper,
    private readonly now: () => number = Date.now,
  ) {}

  /** Errors: UnreadableSecrets. */
  of(stream: StoredStream): Sender {
    return this.opened(stream).sender;
  }

  private opened(stream: StoredStream): Opened {
    const { tenantId, id, format, settings, secret } = stream;
    const kept = this.secrets.open(tenantId, id, secret);
    const previous = kept.previous && kept.previous.until > this.now() ? kept.previous.secret : null;
    const resolved = this.secrets.resolve(tenantId, kept.secret);
    const fingerprint = JSON.stringify([format, settings, resolved, previous, kept.headers, kept.clientKey]);
    const known = this.open.get(id);
    if (known?.fingerprint === fingerprint) return known;
    const previousSecret = this.resolveQuietly(tenantId, previous);
    const sender = kindOf(stream).open({
      settings: settings as CommonSettings,
      format,
      secret: resolved,
      previousSecret,
      headers: kept.headers,
      tls: tlsOf(settings, kept),
      egress: this.egress,
    });
    const said = [resolved, previousSecret, kept.clientKey, ...Object.values(kept.headers)];
    const opened = { sender, fingerprint, secrets: said.filter((each) => each !== null) };
    this.open.set(id, opened);
    return opened;
  }

  /** What went wrong with the connection is an outcome. Errors: the reason of the signal. */
  send(stream: StoredStream, batch: BatchToSend, signal: AbortSignal): Promise<Outcome> {
    const attributes = { 'reel.stream': stream.id, 'reel.stream.kind': stream.kind };
    return traced('deliver', { kind: SpanKind.CLIENT, attributes, isRoot: true }, async (span) => {
      const outcome = await this.sendOnce(stream, batch, signal);
      span.setAttribute('reel.outcome', outcome.kind);
      return outcome;
    });
  }

  private async sendOnce(stream: StoredStream, batch: BatchToSend, signal: AbortSignal): Promise<Outcome> {
    let secrets: readonly string[] = [];
    try {
      const opened = this.opened(stream);
      secrets = opened.secrets;
      return maskedOutcome(await opened.sender.send(batch, signal), secrets);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      this.open.delete(stream.id);
      if (error instanceof UnreadableSecrets) return { kind: 'failing', answer: answerText(error.message) };
      const answer = answerText(connectionFault(error));
      return maskedOutcome({ kind: isAddressRefused(error) ? 'failing' : 'later', answer }, secrets);
    }
  }

  close(): void {
    this.open.clear();
  }

  /** The secret before may be a reference that is listed no more. */
  private resolveQuietly(tenantId: string, secret: string | null): string | null {
    try {
      return this.secrets.resolve(tenantId, secret);
    } catch {
      return null;
    }
  }
}

const tlsOf = (settings: Readonly<Record<string, unknown>>, { clientKey }: StreamSecrets) => ({
  ca: (settings.ca as string | undefined) ?? null,
  cert: (settings.clientCertificate as string | undefined) ?? null,
  key: clientKey,
});
