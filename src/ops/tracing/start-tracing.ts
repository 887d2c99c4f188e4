import { randomUUID } from 'node:crypto';
import type { Outcome } from '../../gate/gate.ts';
import { headerValues, type RequestHead } from '../../gate/request-head.ts';
import type { Tracer } from '../../gate/tracer.ts';
import type { Log } from '../log.ts';
import { formatTraceParent, parseTraceParent, parseTraceState } from '../trace-context.ts';
import { createExporter, type SpanCounts } from './exporter.ts';
import { newSpanId, newTraceId } from './ids.ts';
import { readTracing, type TracingConfig } from './settings.ts';
import { spansOf, type Trace } from './spans.ts';

export interface Tracing {
  readonly tracer: Tracer;
  /** Undefined for what is not recorded, or over. */
  readonly traceIdOf: (head: RequestHead) => string | undefined;
  readonly counts: SpanCounts;
  /** Sends what waits, but tries no longer than this. */
  close(deadlineMs: number): Promise<void>;
}

export interface TracingOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly config: TracingConfig | undefined;
  readonly version: string;
  readonly log: Log;
  /** The client's address, as the log has it. */
  readonly clientAddress: (head: RequestHead) => string;
}

/** The conventions' version that attribute names are from. */
const schemaUrl = 'https://opentelemetry.io/schemas/1.27.0';

/** Follows requests and sends their spans; undefined where settings forbid it, which is logged. */
export function startTracing({ env, config, version, log, clientAddress }: TracingOptions): Tracing | undefined {
  const read = readTracing(env, config);
  for (const warning of read.warnings) log.warn('tracing', { warning });
  if (read.kind === 'off') return undefined;
  const { settings } = read;
  const sdk = { 'telemetry.sdk.name': 'jwtgate', 'telemetry.sdk.language': 'nodejs', 'telemetry.sdk.version': version };
  const own = { 'service.version': version, 'service.instance.id': randomUUID(), ...settings.resource, ...sdk };
  const resource = Object.entries(own).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  const scope = JSON.stringify({ name: 'jwtgate', version });
  const before = `{"resourceSpans":[{"resource":{"attributes":${asciiJson(resource)}},"scopeSpans":[{"scope":${scope},"spans":[`;
  const behind = `],"schemaUrl":"${schemaUrl}"}],"schemaUrl":"${schemaUrl}"}]}`;
  const exporter = createExporter({ settings, envelope: [before, behind], env, log });
  const { origin, pathname } = settings.endpoint;
  log.info('tracing', { endpoint: `${origin}${pathname}`, service: settings.resource['service.name'] });

  /** Those that are recorded. */
  const traces = new WeakMap<RequestHead, Trace>();
  return {
    tracer: {
      begin(head) {
        const parent = parseTraceParent(headerValues(head, 'traceparent'));
        const traceId = parent?.traceId ?? newTraceId();
        if (!settings.sampler(parent, traceId)) {
          // Who began the trace has said that it is not recorded; where nobody has, the next one must not think it is.
          if (parent !== undefined && !parent.sampled) return undefined;
          return [
            'Traceparent',
            formatTraceParent({ traceId, spanId: parent?.spanId ?? newSpanId(), sampled: false }),
            ...stateOf(head, parent),
          ];
        }
        const traceState = parent && parseTraceState(headerValues(head, 'tracestate'));
        const trace = {
          traceId,
          parent,
          traceState,
          serverSpanId: newSpanId(),
          clientSpanId: newSpanId(),
          allowed: undefined,
        };
        traces.set(head, trace);
        const next = formatTraceParent({ traceId, spanId: trace.clientSpanId, sampled: true });
        return traceState === undefined ? ['Traceparent', next] : ['Traceparent', next, 'Tracestate', traceState];
      },
      decided(head, decision) {
        const trace = traces.get(head);
        if (trace !== undefined && decision.kind === 'allowed') trace.allowed = decision;
      },
      end(outcome: Outcome) {
        const { head } = outcome;
        const trace = head && traces.get(head);
        if (head === undefined || trace === undefined) return;
        traces.delete(head);
        for (const span of spansOf(trace, outcome, clientAddress(head), Date.now())) exporter.add(span);
      },
    },
    traceIdOf: (head) => traces.get(head)?.traceId,
    counts: exporter.counts,
    close: exporter.close,
  };

  function stateOf(head: RequestHead, parent: object | undefined): string[] {
    const state = parent && parseTraceState(headerValues(head, 'tracestate'));
    return state === undefined ? [] : ['Tracestate', state];
  }
}

/** JSON in which every character is one byte. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
