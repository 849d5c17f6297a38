/** A log record of opentelemetry/proto/logs/v1/logs.proto. */
export interface LogRecord {
  readonly timeUnixNano: bigint;
  readonly observedTimeUnixNano: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly eventName: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly attributes: Readonly<Record<string, unknown>>;
}

type Values = Readonly<Record<string, unknown>>;
const SCOPE = 'reel';

/** An ExportLogsServiceRequest in proto3's JSON, with one resource and one scope. */
export function logsAsJson(resource: Values, records: readonly LogRecord[]): string {
  const keyValues = (values: Values) =>
    Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));
  const anyValue = (value: unknown): object => {
    if (value === null || value === undefined) return {};
    if (typeof value === 'string') return { stringValue: value };
    if (typeof value === 'boolean') return { boolValue: value };
    if (typeof value === 'number')
      return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
    if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
    return { kvlistValue: { values: keyValues(value as Values) } };
  };
  return JSON.stringify({
    resourceLogs: [
      {
        resource: { attributes: keyValues(resource) },
        scopeLogs: [
          {
            scope: { name: SCOPE },
            logRecords: records.map(({ timeUnixNano, observedTimeUnixNano, body, attributes, ...rest }) => ({
              timeUnixNano: String(timeUnixNano),
              observedTimeUnixNano: String(observedTimeUnixNano),
              ...rest,
              body: anyValue(body),
              attributes: keyValues(attributes),
            })),
          },
        ],
      },
    ],
  });
}

/** The same in protobuf's binary form. Numbers of fields are those of the .proto files. */
export function encodeLogs(resource: Values, records: readonly LogRecord[]): Uint8Array {
  return message(1, [
    message(1, keyValues(1, resource)),
    message(2, [
      message(1, [string(1, SCOPE)]),
      ...records.map((record) => message(2, recordFields(record))),
    ]),
  ]);
}

const recordFields = (record: LogRecord): Uint8Array[] => [
  fixed64(1, record.timeUnixNano),
  varint(2, record.severityNumber),
  string(3, record.severityText),
  message(5, anyValue(record.body)),
  ...keyValues(6, record.attributes),
  fixed64(11, record.observedTimeUnixNano),
  string(12, record.eventName),
];

const keyValues = (field: number, values: Values): Uint8Array[] =>
  Object.entries(values).map(([key, value]) => message(field, [string(1, key), message(2, anyValue(value))]));

function anyValue(value: unknown): Uint8Array[] {
  if (value === null || value === undefined) return [];
  if (typeof value === 'string') return [string(1, value)];
  if (typeof value === 'boolean') return [varint(2, value ? 1 : 0)];
  if (typeof value === 'number') return [Number.isSafeInteger(value) ? varint(3, value) : double(4, value)];
  if (Array.isArray(value))
    return [
      message(
        5,
        value.map((each) => message(1, anyValue(each))),
      ),
    ];
  return [message(6, keyValues(1, value as Values))];
}

const [VARINT, FIXED64, LENGTH] = [0, 1, 2];

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  return bytes(field, Buffer.concat(parts));
}

const string = (field: number, text: string): Uint8Array => bytes(field, Buffer.from(text));

const bytes = (field: number, content: Uint8Array): Uint8Array =>
  Buffer.concat([varintBytes(BigInt((field << 3) | LENGTH!)), varintBytes(BigInt(content.length)), content]);

/** Of int64, a negative number as its 64 bits. */
const varint = (field: number, value: number): Uint8Array =>
  Buffer.concat([
    varintBytes(BigInt((field << 3) | VARINT!)),
    varintBytes(BigInt.asUintN(64, BigInt(value))),
  ]);

function fixed64(field: number, value: bigint): Uint8Array {
  const buffer = Buffer.alloc(9);
  buffer[0] = (field << 3) | FIXED64!;
  buffer.writeBigUInt64LE(value, 1);
  return buffer;
}

function double(field: number, value: number): Uint8Array {
  const buffer = Buffer.alloc(9);
  buffer[0] = (field << 3) | FIXED64!;
  buffer.writeDoubleLE(value, 1);
  return buffer;
}

function varintBytes(value: bigint): Uint8Array {
  const out: number[] = [];
  let rest = value;
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Buffer.from(out);
}

/** What an ExportLogsServiceResponse says was rejected; null: nothing; undefined: it is none. */
export function readPartialSuccess(body: Buffer): { rejected: number; message: string } | null | undefined {
  const response = readFields(body);
  if (!response) return undefined;
  const partial = response.get(1);
  if (partial === undefined) return null;
  const fields = Buffer.isBuffer(partial) ? readFields(partial) : null;
  if (!fields) return undefined;
  const [rejected = 0n, text = Buffer.alloc(0)] = [fields.get(1), fields.get(2)];
  if (typeof rejected !== 'bigint' || !Buffer.isBuffer(text)) return undefined;
  return { rejected: Number(BigInt.asIntN(64, rejected)), message: text.toString('utf8') };
}

/** The fields of a message, of each number the last one; null for anything that is none. */
function readFields(buffer: Buffer): Map<number, bigint | Buffer> | null {
  const fields = new Map<number, bigint | Buffer>();
  let at = 0;
  const next = (): bigint | null => {
    let value = 0n;
    for (let shift = 0n; shift < 70n && at < buffer.length; shift += 7n) {
      const byte = buffer[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return null;
  };
  while (at < buffer.length) {
    const tag = next();
    if (tag === null) return null;
    const field = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (wire === VARINT) {
      const value = next();
      if (value === null) return null;
      fields.set(field, value);
    } else if (wire === LENGTH) {
      const length = next();
      if (length === null || length > BigInt(buffer.length - at)) return null;
      fields.set(field, buffer.subarray(at, at + Number(length)));
      at += Number(length);
    } else if (wire === FIXED64) at += 8;
    else if (wire === 5) at += 4;
    else return null;
  }
  return at === buffer.length ? fields : null;
}
