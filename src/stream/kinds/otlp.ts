import { hostname } from 'node:os';
import type { HttpAnswer } from '../egress/egress.js';
import { StreamFormat } from '../formats/format.js';
import { messageOf } from '../formats/ocsf.js';
import { readAnswer } from './answer.js';
import {
  type BatchToSend,
  type CommonSettings,
  checkToken,
  choice,
  headerValues,
  type Kind,
  StreamKind,
  settingsOf,
  urlText,
} from './kind.js';
import { encodeLogs, type LogRecord, logsAsJson, readPartialSuccess } from './otlp-message.js';
import { answerText, outcomeOfStatus } from './outcome.js';

interface OtlpSettings extends CommonSettings {
  url: string;
  encoding?: 'protobuf' | 'json' | undefined;
}

/** OpenTelemetry's numbers of severity, and their short names. */
const SEVERITY = {
  DEBUG: [5, 'DEBUG'],
  INFO: [9, 'INFO'],
  WARNING: [13, 'WARN'],
  ERROR: [17, 'ERROR'],
  CRITICAL: [21, 'FATAL'],
} as const;

/** OTLP/HTTP logs. */
export const otlp: Kind<OtlpSettings> = {
  name: StreamKind.OTLP,
  formats: [StreamFormat.REEL, StreamFormat.OCSF],
  settings: settingsOf({
    url: urlText,
    headers: headerValues.optional(),
    encoding: choice('protobuf', 'json').optional(),
  }),
  destination: ['url'],
  batch: { entries: 500, bytes: 1_048_576, seconds: 0 },
  proofs: false,
  check: ({ url }, egress) => egress.checkUrl('settings.url', url),
  checkSecret: (secret) => checkToken(secret, 'the value of the header Authorization, or none', false),
  open: ({ settings, secret, headers, tls, egress }) => {
    const http = egress.http(tls);
    const url = new URL(settings.url);
    if (url.pathname === '/') url.pathname = '/v1/logs';
    const isJson = settings.encoding === 'json';
    const resource = { 'service.name': 'reel', 'host.name': hostname() };
    return {
      async send(batch, signal) {
        const records = batch.entries.map((each) => recordOf(each, batch));
        const answer = await http.call({
          method: 'POST',
          url: url.href,
          headers: {
            ...headers,
            ...(secret === null ? {} : { authorization: secret }),
            'content-type': isJson ? 'application/json' : 'application/x-protobuf',
          },
          body: isJson ? logsAsJson(resource, records) : encodeLogs(resource, records),
          readsAnswer: true,
          signal,
        });
        const outcome = outcomeOfStatus(answer.status, textOf(answer), answer.retryAfter);
        if (outcome.kind !== 'done') return outcome;
        const partial = partialOf(answer);
        if (partial === undefined)
          return { kind: 'later', answer: `${answer.status} with an answer that cannot be read` };
        if (!partial || partial.rejected === 0) return outcome;
        // It does not say which: sending any of them again is forbidden.
        const reason = answerText(`${partial.rejected} of ${records.length} rejected: ${partial.message}`);
        return { kind: 'done', answer: reason, refused: records.map((_, index) => ({ index, reason })) };
      },
      close: () => http.close(),
    };
  },
};

function recordOf(
  { entry, value }: BatchToSend['entries'][number],
  { streamId, tenantId }: BatchToSend,
): LogRecord {
  const [severityNumber, severityText] = SEVERITY[entry.severity];
  return {
    timeUnixNano: nanosecondsOf(entry.occurredAt),
    observedTimeUnixNano: nanosecondsOf(entry.createdAt),
    severityNumber,
    severityText,
    eventName: entry.action,
    body: value as Record<string, unknown>,
    attributes: {
      'reel.stream': streamId,
      'reel.tenant': tenantId,
      'reel.id': entry.id,
      'reel.sequence': entry.sequence,
      'reel.message': messageOf(entry),
    },
  };
}

/** Of an instant with six digits of a second. */
const nanosecondsOf = (instant: string): bigint =>
  BigInt(Date.parse(`${instant.slice(0, 19)}Z`)) * 1_000_000n + BigInt(instant.slice(20, -1)) * 1_000n;

const isJsonAnswer = ({ contentType }: HttpAnswer) => contentType.startsWith('application/json');

const textOf = (answer: HttpAnswer): string =>
  isJsonAnswer(answer) || answer.contentType.startsWith('text/') ? answer.body.toString('utf8') : '';

/** null: accepted whole; undefined: it cannot be read. */
function partialOf(answer: HttpAnswer): { rejected: number; message: string } | null | undefined {
  if (answer.body.length === 0) return null;
  if (!isJsonAnswer(answer)) return readPartialSuccess(answer.body);
  const said = readAnswer<{
    partialSuccess?: { rejectedLogRecords?: number | string; errorMessage?: string };
  }>(answer);
  if (!said) return undefined;
  const { rejectedLogRecords = 0, errorMessage = '' } = said.partialSuccess ?? {};
  return { rejected: Number(rejectedLogRecords), message: errorMessage };
}
