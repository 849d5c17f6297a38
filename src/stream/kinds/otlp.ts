import { hostname } from 'node:os';
import { StreamFormat } from '../formats/format.js';
import { messageOf } from '../formats/ocsf.js';
import { httpKind, unreadable } from './http-kind.js';
import {
  type BatchToSend,
  type CommonSettings,
  checkToken,
  choice,
  headerValues,
  StreamKind,
  settingsOf,
  urlText,
} from './kind.js';
import { partialOf, textOf } from './otlp-answer.js';
import { encodeLogs, type LogRecord, logsAsJson } from './otlp-message.js';
import { answerText } from './outcome.js';

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
export const otlp = httpKind<OtlpSettings>({
  name: StreamKind.OTLP,
  formats: [StreamFormat.REEL, StreamFormat.OCSF],
  settings: settingsOf({
    url: urlText,
    headers: headerValues.optional(),
    encoding: choice('protobuf', 'json').optional(),
  }),
  checkSecret: (secret) => checkToken(secret, 'the value of the header Authorization, or none', false),
  readsAnswer: true,
  exchange: ({ settings, secret, headers }) => {
    const url = new URL(settings.url);
    if (url.pathname === '/') url.pathname = '/v1/logs';
    const isJson = settings.encoding === 'json';
    const resource = { 'service.name': 'reel', 'host.name': hostname() };
    return {
      post(batch) {
        const records = batch.entries.map((each) => recordOf(each, batch));
        return {
          url: url.href,
          headers: {
            ...headers,
            ...(secret === null ? {} : { authorization: secret }),
            'content-type': isJson ? 'application/json' : 'application/x-protobuf',
          },
          body: isJson ? logsAsJson(resource, records) : encodeLogs(resource, records),
        };
      },
      textOf,
      accepted(answer, { entries }) {
        const partial = partialOf(answer);
        if (partial === undefined) return unreadable(answer);
        if (!partial || partial.rejected === 0) return null;
        // It does not say which: sending any of them again is forbidden.
        const reason = answerText(`${partial.rejected} of ${entries.length} rejected: ${partial.message}`);
        return { kind: 'done', answer: reason, refused: entries.map((_, index) => ({ index, reason })) };
      },
    };
  },
});

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
