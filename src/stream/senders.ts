import { LRUCache } from 'lru-cache';
import { badInput } from '../errors.js';
import { SpanKind, traced } from '../tracing.js';
import { connectionFault, type Egress, isAddressRefused } from './egress/egress.js';
import type { BatchToSend, Kind, Sender } from './kinds/kind.js';
import { KINDS } from './kinds/kinds.js';
import { answerText, type Outcome } from './kinds/outcome.js';
import type { CommonSettings } from './kinds/settings.js';
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

/** Connections to streams' receivers, each kept for as long as it is used and the stream stays as it is. */
export class Senders {
  private readonly open = new LRUCache<string, { sender: Sender; fingerprint: string }>({
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
    const { tenantId, id, format, settings, secret } = stream;
    const kept = this.secrets.open(tenantId, id, secret);
    const previous = kept.previous && kept.previous.until > this.now() ? kept.previous.secret : null;
    const resolved = this.secrets.resolve(tenantId, kept.secret);
    const fingerprint = JSON.stringify([format, settings, resolved, previous, kept.headers, kept.clientKey]);
    const known = this.open.get(id);
    if (known?.fingerprint === fingerprint) return known.sender;
    const sender = kindOf(stream).open({
      settings: settings as CommonSettings,
      format,
      secret: resolved,
      previousSecret: this.resolveQuietly(tenantId, previous),
      headers: kept.headers,
      tls: tlsOf(settings, kept),
      egress: this.egress,
    });
    this.open.set(id, { sender, fingerprint });
    return sender;
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
    try {
      return await this.of(stream).send(batch, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      this.open.delete(stream.id);
      if (error instanceof UnreadableSecrets) return { kind: 'failing', answer: answerText(error.message) };
      const answer = answerText(connectionFault(error));
      return isAddressRefused(error) ? { kind: 'failing', answer } : { kind: 'later', answer };
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
