import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { BATCH, EXPORT, FAULT, FAULTS, INTERNAL, LIST, REFUSAL, STATS } from './answers.js';
import { MAX_BATCH_BYTES } from './batch.js';
import { BATCH_ENTRY, ENTRY, ENTRY_CREATE } from './entry-shapes.js';
import { type Answer, HEADERS, PARAMETERS, REFUSALS, type Refusal, SECURITY } from './openapi-parts.js';
import { EXPORT_SHAPE, FILTER_SHAPE, LINK_SHAPE, pageShape, ZONE_SHAPE } from './shapes.js';

type Json = Record<string, unknown>;
type Shape = Readonly<Record<string, z.ZodType>>;

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const optional = (shape: Shape) =>
  Object.fromEntries(Object.entries(shape).map(([name, schema]) => [name, schema.optional()]));

const FILTER = z
  .strictObject(optional(FILTER_SHAPE))
  .describe('All conditions must hold; null and an empty text are none.');

const SCHEMAS = {
  LogEntry: ENTRY,
  LogEntryCreate: ENTRY_CREATE,
  LogBatchEntry: BATCH_ENTRY,
  LogBatch: z.strictObject({ entries: z.array(BATCH_ENTRY).min(1).max(1_000) }),
  LogBatchResponse: BATCH,
  LogEntryList: LIST,
  LogStats: STATS,
  LogFilter: FILTER,
  LogExportRequest: z.strictObject({
    ...optional(EXPORT_SHAPE),
    filter: FILTER.optional(),
    ...optional(ZONE_SHAPE),
  }),
  LogExportResponse: EXPORT,
  Fault: FAULT,
  Refusal: REFUSAL,
  Faults: FAULTS,
  InternalError: INTERNAL,
};
type SchemaName = keyof typeof SCHEMAS;

const refTo = (name: string): string => `#/components/schemas/${name}`;

function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: refTo, io: 'output', unrepresentable: 'throw' });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema]),
  );
}

const inQuery = (shape: Shape, isRequired = false): Json[] =>
  Object.entries(shape).map(([name, each]) => {
    const { $schema: _, description, ...schema } = z.toJSONSchema(each, { io: 'output' });
    return { name, in: 'query', required: isRequired, ...(description && { description }), schema };
  });

interface Operation {
  id: string;
  summary: string;
  description?: string;
  security: Json[];
  parameters?: Json[];
  body?: Json;
  answer: { status: number; description: string; content: Json; headers?: readonly (keyof typeof HEADERS)[] };
  refusals: readonly Refusal[];
}

const json = (name: SchemaName, type = 'application/json'): Json => ({
  [type]: { schema: { $ref: refTo(name) } },
});
const parameter = (name: keyof typeof PARAMETERS): Json => ({ $ref: `#/components/parameters/${name}` });

/** Of every call of a person. */
const CALLER = (['X-Tenant-Id', 'X-Client-Id', 'X-Request-Id', 'traceparent'] as const).map(parameter);
const MODULES = (['X-Request-Id', 'traceparent'] as const).map(parameter);
/** Of every path. */
const ALWAYS = [307, 400, 404, 405, 408, 431, 500, 503] as const;
const CHECKED = [401, 403, 422, 429, ...ALWAYS] as const;
const WITH_BODY = [413, 415, 417, ...CHECKED] as const;

function operations({ maxPageSize }: { maxPageSize: number }): Record<string, Record<string, Operation>> {
  return {
    '/logs': {
      get: {
        id: 'listLogs',
        summary: 'A page of the entries that the caller may view, newest first',
        security: [{ person: [] }],
        parameters: [...CALLER, ...inQuery(pageShape({ maxPageSize })), ...inQuery(FILTER_SHAPE)],
        answer: { status: 200, description: 'The page', content: json('LogEntryList') },
        refusals: CHECKED,
      },
      post: {
        id: 'createLog',
        summary: 'Stores an entry',
        description: 'Answered once it is on disk.',
        security: [{ module: [] }, { person: [] }],
        parameters: [...CALLER, parameter('Idempotency-Key'), parameter('Content-Encoding')],
        body: json('LogEntryCreate'),
        answer: {
          status: 201,
          description: 'The entry, or the first one stored under the same key',
          content: json('LogEntry'),
          headers: ['Location', 'Idempotent-Replayed', 'RateLimit-Policy', 'RateLimit'],
        },
        refusals: [409, ...WITH_BODY],
      },
    },
    '/logs/batch': {
      post: {
        id: 'createLogs',
        summary: 'Stores many entries of a module',
        description: `1 to 1,000 entries in at most ${MAX_BATCH_BYTES} bytes, each stored or refused on its own.`,
        security: [{ module: [] }],
        parameters: [...MODULES, parameter('Content-Encoding')],
        body: {
          ...json('LogBatch'),
          'application/x-ndjson': {
            schema: { type: 'string', description: 'One LogBatchEntry a line.' },
          },
        },
        answer: {
          status: 200,
          description: 'What became of each entry',
          content: json('LogBatchResponse'),
        },
        refusals: WITH_BODY,
      },
    },
    '/logs/stats': {
      get: {
        id: 'logStats',
        summary: 'Counts of the entries that the caller may view',
        security: [{ person: [] }],
        parameters: [...CALLER, ...inQuery(FILTER_SHAPE)],
        answer: { status: 200, description: 'The counts', content: json('LogStats') },
        refusals: CHECKED,
      },
    },
    '/logs/{id}': {
      get: {
        id: 'getLog',
        summary: 'One entry',
        security: [{ person: [] }],
        parameters: [...CALLER, parameter('id')],
        answer: { status: 200, description: 'The entry', content: json('LogEntry') },
        refusals: CHECKED,
      },
    },
    '/logs/export': {
      post: {
        id: 'exportLogs',
        summary: "Prepares an export of one client's entries, and answers its link",
        security: [{ person: [] }],
        parameters: [...CALLER, parameter('Content-Encoding')],
        body: json('LogExportRequest'),
        answer: { status: 200, description: 'The link', content: json('LogExportResponse') },
        refusals: WITH_BODY,
      },
    },
    '/exports/{filename}': {
      get: {
        id: 'downloadExport',
        summary: 'The file of an export',
        security: [{ link: [] }],
        parameters: [parameter('filename'), ...inQuery(LINK_SHAPE, true)],
        answer: {
          status: 200,
          description: 'The entries in sealed order, oldest first',
          content: Object.fromEntries(
            ['text/csv', 'application/json', 'application/x-ndjson'].map((type) => [
              type,
              { schema: { type: 'string' } },
            ]),
          ),
          headers: ['Content-Disposition', 'Content-Security-Policy', 'X-Frame-Options'],
        },
        refusals: [403, 422, ...ALWAYS],
      },
    },
    '/openapi.json': {
      get: {
        id: 'openapi',
        summary: 'This document',
        security: [{}],
        answer: {
          status: 200,
          description: 'OpenAPI 3.1',
          content: { 'application/json': { schema: { type: 'object' } } },
        },
        refusals: ALWAYS,
      },
    },
  };
}

const everywhere = ['X-Request-Id', 'Cache-Control', 'X-Content-Type-Options', 'Referrer-Policy'] as const;
const headerRefs = (names: readonly (keyof typeof HEADERS)[]): Json =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

function responseOf({ description, content, headers = [] }: Answer): Json {
  return { description, headers: headerRefs([...everywhere, ...headers]), ...(content && { content }) };
}

function operationToJson(operation: Operation): Json {
  const { id, body, answer, refusals, parameters = [], ...described } = operation;
  return {
    operationId: id,
    ...described,
    parameters,
    ...(body && { requestBody: { required: true, content: body } }),
    responses: {
      [answer.status]: responseOf(answer),
      ...Object.fromEntries(
        [...refusals].sort().map((status) => [status, { $ref: `#/components/responses/${status}` }]),
      ),
    },
  };
}

/** HEAD is answered as GET is, without the body; of the refusals the same. */
function headOf(operation: Operation): Operation {
  const { content: _, ...answer } = operation.answer;
  return {
    ...operation,
    id: `${operation.id}Head`,
    summary: `${operation.summary}: the headers alone`,
    answer: { ...answer, content: {} },
  };
}

/** The description of REST (OpenAPI 3.1). `prefix`: of its paths on this server. */
export function openApi({ prefix, maxPageSize }: { prefix: string; maxPageSize: number }): Json {
  const paths = Object.entries(operations({ maxPageSize })).map(([path, { get, post }]) => [
    path,
    {
      ...(get && { get: operationToJson(get) }),
      ...(get && path !== '/exports/{filename}' && { head: operationToJson(headOf(get)) }),
      ...(post && { post: operationToJson(post) }),
    },
  ]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Reel',
      version,
      description: 'The audit trail of a multi-tenant platform over REST. Names are in snake case.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    servers: [{ url: prefix }],
    paths: Object.fromEntries(paths),
    components: {
      schemas: componentSchemas(),
      parameters: PARAMETERS,
      headers: HEADERS,
      responses: Object.fromEntries(
        Object.entries(REFUSALS).map(([status, answer]) => [status, responseOf(answer)]),
      ),
      securitySchemes: SECURITY,
    },
  };
}
