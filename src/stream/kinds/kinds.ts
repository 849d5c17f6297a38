import { datadog } from './datadog.js';
import { elastic } from './elastic.js';
import { type Kind, StreamKind } from './kind.js';
import { otlp } from './otlp.js';
import { s3 } from './s3.js';
import { splunk } from './splunk.js';
import { syslog } from './syslog.js';
import { webhook } from './webhook.js';

/** Every kind; a new one is a file of its own and a line here. */
export const KINDS: Readonly<Record<StreamKind, Kind>> = {
  [StreamKind.WEBHOOK]: webhook as Kind,
  [StreamKind.SPLUNK]: splunk as Kind,
  [StreamKind.DATADOG]: datadog as Kind,
  [StreamKind.ELASTIC]: elastic as Kind,
  [StreamKind.OTLP]: otlp as Kind,
  [StreamKind.SYSLOG]: syslog as Kind,
  [StreamKind.S3]: s3 as Kind,
};
