import { readFileSync } from 'node:fs';
import { compileSampler, type Sampler, type SamplerName, samplerNames } from './sampler.ts';

/** What a config may say; the environment goes before it. */
export interface TracingConfig {
  /** Base URL of a collector. */
  readonly endpoint?: string | undefined;
  readonly headers?: Readonly<Record<string, { reveal(): string }>> | undefined;
  /** Share of the traces that begin here, 0 to 1. */
  readonly sample: number;
  readonly serviceName: string;
  /** Resource attributes. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}

export interface TracingSettings {
  readonly endpoint: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** PEM. */
  readonly ca: string | undefined;
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly sampler: Sampler;
  readonly resource: Readonly<Record<string, string>>;
  readonly queue: { readonly delayMs: number; readonly spans: number; readonly batchSpans: number };
}

export type ReadTracing =
  | { readonly kind: 'on'; readonly settings: TracingSettings; readonly warnings: readonly string[] }
  | { readonly kind: 'off'; readonly warnings: readonly string[] };

/** Without a config's own. */
const defaults: TracingConfig = { sample: 1, serviceName: 'jwtgate' };

/**
 * Reads OpenTelemetry's standard variables, and the config where they are silent. What can't be obeyed is said, and turns
 * tracing off where spans would go astray; a value is never repeated, since headers hold secrets.
 */
export function readTracing(env: NodeJS.ProcessEnv, config: TracingConfig = defaults): ReadTracing {
  const warnings: string[] = [];
  const off = (why: string): ReadTracing => ({ kind: 'off', warnings: [...warnings, `nothing is traced: ${why}`] });
  // Empty is as good as unset; what is said of traces goes before what is said of all signals.
  const read = (name: string) => env[name]?.trim() || undefined;
  const readOtlp = (name: string) => read(`OTEL_EXPORTER_OTLP_TRACES_${name}`) ?? read(`OTEL_EXPORTER_OTLP_${name}`);

  const exporter = read('OTEL_TRACES_EXPORTER') ?? 'otlp';
  if (exporter === 'none') return { kind: 'off', warnings };
  if (exporter !== 'otlp') return off('OTEL_TRACES_EXPORTER is neither otlp nor none');
  const protocol = readOtlp('PROTOCOL') ?? 'http/json';
  if (protocol === 'grpc')
    return off('OTLP goes over HTTP here: OTEL_EXPORTER_OTLP_PROTOCOL=http/json, and its port (4318)');
  if (protocol !== 'http/json') warnings.push('OTLP is sent as http/json, whatever OTEL_EXPORTER_OTLP_PROTOCOL says');
  if ((readOtlp('COMPRESSION') ?? 'none') !== 'none') warnings.push('OTEL_EXPORTER_OTLP_COMPRESSION is not obeyed');
  if (readOtlp('CLIENT_CERTIFICATE') !== undefined) return off('OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is not obeyed');

  const base = read('OTEL_EXPORTER_OTLP_ENDPOINT') ?? config.endpoint;
  const endpoint = URL.parse(read('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? `${base?.replace(/\/+$/, '')}/v1/traces`);
  if (endpoint === null || !/^https?:$/.test(endpoint.protocol)) return off('the endpoint is no http or https URL');

  let ca: string | undefined;
  const certificate = readOtlp('CERTIFICATE');
  try {
    if (certificate !== undefined) ca = readFileSync(certificate, 'utf8');
  } catch {
    return off('the file of OTEL_EXPORTER_OTLP_CERTIFICATE cannot be read');
  }

  const readCount = (name: string, value: string | undefined, otherwise: number) => {
    if (value === undefined) return otherwise;
    if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
    warnings.push(`${name} is no whole number above 0: ${otherwise} is taken`);
    return otherwise;
  };
  const readPairs = (name: string, value: string | undefined) => {
    const pairs = parsePairs(value ?? '');
    if (pairs === undefined) warnings.push(`${name} is not a list of key=value: it is left out`);
    return pairs ?? {};
  };
  const fromConfig = Object.entries(config.headers ?? {}).map(([name, value]) => [name, value.reveal()] as const);
  const attributes = readPairs('OTEL_RESOURCE_ATTRIBUTES', read('OTEL_RESOURCE_ATTRIBUTES'));
  const spans = readCount('OTEL_BSP_MAX_QUEUE_SIZE', read('OTEL_BSP_MAX_QUEUE_SIZE'), 2_048);
  const batch = readCount('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', read('OTEL_BSP_MAX_EXPORT_BATCH_SIZE'), 512);
  return {
    kind: 'on',
    settings: {
      endpoint,
      headers: { ...Object.fromEntries(fromConfig), ...readPairs('OTEL_EXPORTER_OTLP_HEADERS', readOtlp('HEADERS')) },
      ca,
      timeoutMs: readCount('OTEL_EXPORTER_OTLP_TIMEOUT', readOtlp('TIMEOUT'), 10_000),
      sampler: readSampler(read('OTEL_TRACES_SAMPLER'), read('OTEL_TRACES_SAMPLER_ARG'), config.sample, warnings),
      resource: {
        ...config.attributes,
        'service.name': config.serviceName,
        ...attributes,
        ...(read('OTEL_SERVICE_NAME') && { 'service.name': read('OTEL_SERVICE_NAME') as string }),
      },
      queue: {
        delayMs: readCount('OTEL_BSP_SCHEDULE_DELAY', read('OTEL_BSP_SCHEDULE_DELAY'), 5_000),
        spans,
        batchSpans: Math.min(batch, spans),
      },
    },
    warnings,
  };
}

function readSampler(name: string | undefined, arg: string | undefined, share: number, warnings: string[]): Sampler {
  if (name === undefined) return compileSampler('parentbased_traceidratio', share);
  const known = samplerNames.find((each) => each === name.toLowerCase());
  if (known === undefined) {
    warnings.push('OTEL_TRACES_SAMPLER is none that is known: parentbased_always_on is taken');
    return compileSampler('parentbased_always_on', 1);
  }
  return compileSampler(known, readRatio(known, arg, warnings));
}

function readRatio(name: SamplerName, arg: string | undefined, warnings: string[]): number {
  if (!name.endsWith('traceidratio') || arg === undefined) return 1;
  const ratio = Number(arg);
  if (ratio >= 0 && ratio <= 1) return ratio;
  warnings.push('OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1: 1 is taken');
  return 1;
}

/** "key=value,key2=value2" as in W3C Baggage: values are percent-encoded. */
function parsePairs(text: string): Record<string, string> | undefined {
  const pairs: Record<string, string> = {};
  for (const part of text.split(',')) {
    if (part.trim() === '') continue;
    const [, key, value = ''] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
    if (key === undefined) return undefined;
    try {
      pairs[key] = decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }
  return pairs;
}
