import {
  type Attributes,
  type Context,
  context,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

/**
 * Traces, by OpenTelemetry's API: whoever runs Reel brings the SDK that records and exports them (docs/operations.md), and
 * without one nothing is recorded. No span holds a tenant, a person, a query's values or the text of a statement.
 */
const tracer = trace.getTracer('reel');

/** Whether an SDK is there that makes spans. */
export function hasSdk(): boolean {
  const span = tracer.startSpan('start');
  span.end();
  return isSpanContextValid(span.spanContext());
}

export type { Context } from '@opentelemetry/api';
export { SpanKind } from '@opentelemetry/api';

const WITHOUT_SDK = new ProxyTracerProvider().getDelegate();
const NO_SPAN = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);

/** Whether nothing would be recorded and nothing passed on: to begin spans all the same takes a measurable part of a request. */
function isUntraced(parent: Context): boolean {
  const provider = trace.getTracerProvider();
  return (
    parent === ROOT_CONTEXT &&
    provider instanceof ProxyTracerProvider &&
    provider.getDelegate() === WITHOUT_SDK
  );
}

interface SpanDetails {
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  /** It begins a trace of its own, which is linked to the one that is under way. */
  readonly isRoot?: boolean;
}

/** Runs work within a span. An error is told by its code or class alone: its message may repeat what a caller sent. */
export function traced<T>(
  name: string,
  { kind = SpanKind.INTERNAL, attributes = {}, isRoot = false }: SpanDetails,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  if (isUntraced(context.active())) return work(NO_SPAN);
  const under = isRoot ? trace.getActiveSpan()?.spanContext() : undefined;
  const links = under ? [{ context: under }] : [];
  return tracer.startActiveSpan(name, { kind, attributes, links, root: isRoot }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      span.setAttribute('error.type', typeOf(error));
      throw error;
    } finally {
      span.end();
    }
  });
}

function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : error.name;
}

/** A call to this server, from its first header to the end of its answer. */
export interface TracedCall {
  readonly context: Context;
  end(route: string, status: number): void;
}

const UNTRACED: TracedCall = { context: ROOT_CONTEXT, end() {} };

/** Begins the span of a call; its parent is what the headers name (W3C trace context). */
export function beginCall(method: string, headers: object): TracedCall {
  const parent = propagation.extract(ROOT_CONTEXT, headers);
  if (isUntraced(parent)) return UNTRACED;
  const attributes = { 'http.request.method': method };
  const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent);
  return {
    context: trace.setSpan(parent, span),
    end: (route, status) => {
      span.updateName(route === '' ? method : `${method} ${route}`);
      span.setAttributes({
        'http.response.status_code': status,
        ...(route !== '' && { 'http.route': route }),
      });
      if (status >= 500) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        span.setAttribute('error.type', String(status));
      }
      span.end();
    },
  };
}

/** Runs work within a call's span. */
export const within = <T>(at: Context, work: () => T): T =>
  at === context.active() ? work() : context.with(at, work);

/** The headers that tell whoever is called of the trace under way. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}
