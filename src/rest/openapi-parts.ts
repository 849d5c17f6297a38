import { ERROR_STATUS, type ErrorCode } from '../errors.js';

/** Parts of openapi.json that many operations share. */

export interface Answer {
  description: string;
  content?: Record<string, unknown>;
  headers?: readonly (keyof typeof HEADERS)[];
}

const text = { type: 'string' } as const;
const uuid = { type: 'string', format: 'uuid' } as const;

export const SECURITY = {
  person: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: "A person's token: HS256, or by the key set of REEL_JWKS_URL.",
  },
  module: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: "A module's service credential: HS256 over REEL_SERVICE_SECRET.",
  },
  link: {
    type: 'apiKey',
    in: 'query',
    name: 'token',
    description: 'An export link is its own credential.',
  },
};

const header = (name: string, description: string, schema: object = text) => ({
  name,
  in: 'header',
  required: false,
  description,
  schema,
});
const inPath = (name: string, description: string, schema: object) => ({
  name,
  in: 'path',
  required: true,
  description,
  schema,
});

export const PARAMETERS = {
  'X-Tenant-Id': header('X-Tenant-Id', 'The tenant; needed of who belongs to several.', uuid),
  'X-Client-Id': header('X-Client-Id', 'Narrows the call to one client of the tenant.', uuid),
  'X-Request-Id': header('X-Request-Id', 'The id of the request, 1 to 255 visible ASCII characters.'),
  traceparent: header('traceparent', 'W3C trace context; its trace id is the id of a request without one.'),
  'Idempotency-Key': header('Idempotency-Key', 'The same key with the same content is stored once.', {
    ...text,
    minLength: 1,
    maxLength: 200,
  }),
  'Content-Encoding': header('Content-Encoding', 'How the body is packed.', { ...text, enum: ['gzip'] }),
  id: inPath('id', 'The id of an entry, in any case.', uuid),
  filename: inPath('filename', 'As the link has it.', text),
};

const answered = (description: string, schema: object = text) => ({ description, schema });
const seconds = { type: 'integer', minimum: 1 } as const;

export const HEADERS = {
  'X-Request-Id': answered('The id of the request.'),
  'Cache-Control': answered('no-store'),
  'X-Content-Type-Options': answered('nosniff'),
  'Referrer-Policy': answered('no-referrer'),
  'WWW-Authenticate': answered('Bearer'),
  Allow: answered('The methods that the path has.'),
  Location: answered("The entry's path, or the path without its trailing slash."),
  'Idempotent-Replayed': answered('true where the entry was stored before under its key.'),
  'Retry-After': answered('Seconds after which to try again.', seconds),
  'RateLimit-Policy': answered('What a person may report, as draft-ietf-httpapi-ratelimit-headers has it.'),
  RateLimit: answered('What is left of it.'),
  'Accept-Encoding': answered('The encodings that a body may have.'),
  'Content-Disposition': answered('attachment, with the name of the file.'),
  'Content-Security-Policy': answered('Nothing may be loaded or run.'),
  'X-Frame-Options': answered('DENY'),
};

const REFUSAL = { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } };
const FAULTS = { 'application/json': { schema: { $ref: '#/components/schemas/Faults' } } };
const INTERNAL = { 'application/json': { schema: { $ref: '#/components/schemas/InternalError' } } };

/** The codes that GraphQL has for what is answered so, for who knows Reel by those. */
const codes = (status: number): string => {
  const named = (Object.keys(ERROR_STATUS) as ErrorCode[]).filter((code) => ERROR_STATUS[code] === status);
  return named.length > 0 ? ` (${named.join(', ')})` : '';
};
const refusal = (status: number, description: string, more: Omit<Answer, 'description'> = {}): Answer => ({
  description: `${description}${codes(status)}`,
  content: REFUSAL,
  ...more,
});

/** What every operation may answer instead, by status. */
export const REFUSALS = {
  307: { description: 'The path has a trailing slash', headers: ['Location'] },
  400: refusal(400, 'No well-formed HTTP, or no well-formed URL'),
  401: refusal(401, 'No valid credential; comes before anything else is looked at', {
    headers: ['WWW-Authenticate'],
  }),
  403: refusal(403, 'The credential does not allow it'),
  404: refusal(404, 'No such entry for this caller, or no such path'),
  405: refusal(405, 'The path does not have this method', { headers: ['Allow'] }),
  408: refusal(408, 'The request came too slowly'),
  409: refusal(409, 'The idempotency key stands for other content'),
  413: refusal(413, 'The body is longer than allowed, also once unpacked'),
  415: refusal(415, 'A Content-Type or Content-Encoding that is not understood', {
    headers: ['Accept-Encoding'],
  }),
  417: refusal(417, 'An Expect header with anything but 100-continue'),
  422: refusal(422, 'Something in the request is wrong: every fault at once', { content: FAULTS }),
  429: refusal(429, 'Too many', { headers: ['Retry-After', 'RateLimit-Policy', 'RateLimit'] }),
  431: refusal(431, 'A header is longer than allowed'),
  500: refusal(500, "A fault of Reel's, which its log has under the id", { content: INTERNAL }),
  503: refusal(503, 'Not now', { headers: ['Retry-After'] }),
} satisfies Record<number, Answer>;

export type Refusal = keyof typeof REFUSALS;
