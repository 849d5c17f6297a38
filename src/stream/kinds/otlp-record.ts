import { messageOf } from '../formats/ocsf.js';
import { originOf } from './batch-text.js';
import type { BatchToSend, Delivered } from './kind.js';
import type { LogRecord } from './otlp-message.js';

/** OpenTelemetry's numbers of severity, and their short names. */
const SEVERITY = {
  DEBUG: [5, 'DEBUG'],
  INFO: [9, 'INFO'],
  WARNING: [13, 'WARN'],
  ERROR: [17, 'ERROR'],
  CRITICAL: [21, 'FATAL'],
} as const;

/** An entry as OpenTelemetry's data model of logs has it. */
export function recordOf(each: Delivered, batch: BatchToSend): LogRecord {
  const { entry, value } = each;
  const [severityNumber, severityText] = SEVERITY[entry.severity];
  return {
    timeUnixNano: nanosecondsOf(entry.occurredAt),
    observedTimeUnixNano: nanosecondsOf(entry.createdAt),
    severityNumber,
    severityText,
    eventName: entry.action,
    body: value as Record<string, unknown>,
    attributes: { ...originOf(each, batch, '.'), 'reel.message': messageOf(entry) },
  };
}

/** Of an instant with six digits of a second. */
const nanosecondsOf = (instant: string): bigint =>
  BigInt(Date.parse(`${instant.slice(0, 19)}Z`)) * 1_000_000n + BigInt(instant.slice(20, -1)) * 1_000n;
