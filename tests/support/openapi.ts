import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';

type Json = Record<string, unknown>;

interface Described {
  description: string;
  headers?: Record<string, { $ref: string }>;
  content?: Record<string, { schema: Json }>;
}

export interface OpenApi {
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, Json> }>>;
  components: { schemas: Record<string, Json>; responses: Record<string, Described> };
  servers: { url: string }[];
}

/** An answer as it came; the body as text. */
export interface Came {
  method: string;
  /** With the query. */
  path: string;
  status: number;
  headers: Headers;
  text: string;
}

/** Checks answers against a description. */
export class AnswerCheck {
  readonly seen = new Set<string>();
  private readonly ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false });

  constructor(private readonly document: OpenApi) {
    this.ajv.addKeyword('components');
    this.ajv.addSchema({ $id: 'reel', components: document.components });
  }

  /** The validator of one of the components. */
  schema(name: string) {
    return this.ajv.compile({ $ref: `reel#/components/schemas/${name}` });
  }

  /** Throws where the answer is none that the description has. */
  check(came: Came): void {
    const { path, described } = this.find(came);
    const at = `${came.method} ${path} ${came.status}`;
    this.seen.add(at);
    expect(described, `${at} is described`).toBeDefined();
    for (const name of came.headers.keys())
      if (!PLUMBING.has(name))
        expect(
          Object.keys(described!.headers ?? {}).map((each) => each.toLowerCase()),
          `${at}: header ${name}`,
        ).toContain(name);
    if (came.method === 'HEAD' || !described!.content || came.text === '') return;
    const type = (came.headers.get('content-type') ?? '').split(';')[0]!;
    expect(Object.keys(described!.content), `${at}: type`).toContain(type);
    if (came.status === 200 && path.startsWith('/exports/')) return;
    const validate = this.ajv.compile(inBundle(described!.content[type]!.schema));
    const valid = validate(JSON.parse(came.text));
    expect(valid, `${at}: ${this.ajv.errorsText(validate.errors)}\n${came.text.slice(0, 2_000)}`).toBe(true);
  }

  private find({ method, path, status }: Came): { path: string; described: Described | undefined } {
    const [bare = ''] = path.split('?');
    const below = bare.slice(this.document.servers[0]!.url.length);
    const paths = Object.keys(this.document.paths);
    const isIt = (template: string) => new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}/?$`).test(below);
    const template = paths.find((each) => each === below) ?? paths.find(isIt);
    expect(template, `${method} ${path} is described`).toBeDefined();
    const operations = this.document.paths[template!]!;
    // A method that the path does not have is answered as every other one would be.
    const operation = operations[method.toLowerCase()] ?? Object.values(operations)[0]!;
    const response = operation.responses[status] as (Described & { $ref?: string }) | undefined;
    const name = response?.$ref?.split('/').at(-1);
    return { path: template!, described: name ? this.document.components.responses[name] : response };
  }
}

/** What HTTP itself needs, and says nothing of the answer. */
const PLUMBING = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'transfer-encoding',
  'vary',
]);

/** References as into the bundle above. */
const inBundle = (schema: Json): Json =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"reel#/components/')) as Json;
