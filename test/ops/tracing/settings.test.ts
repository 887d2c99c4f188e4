import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readTracing } from '../../../src/ops/tracing/settings.ts';
import { wantsTracing } from '../../../src/ops/tracing-wanted.ts';
import { newFolder } from '../../support/scratch-folder.ts';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

function on(env: NodeJS.ProcessEnv, config?: Parameters<typeof readTracing>[1]) {
  const read = readTracing(env, config);
  if (read.kind === 'off') throw new Error(read.warnings.join());
  return { ...read.settings, warnings: read.warnings };
}

/** Shares of what a sampler records, of traces that begin here, and of sampled and unsampled parents. */
function sampled(env: NodeJS.ProcessEnv): (number | boolean)[] {
  const { sampler } = on({ ...endpoint, ...env });
  const ids = Array.from(
    { length: 4_000 },
    (_, i) =>
      `${'0'.repeat(19)}${Math.floor((i / 4_000) * 2 ** 52)
        .toString(16)
        .padStart(13, '0')}`,
  );
  const parent = (isSampled: boolean) => ({ traceId: 'f'.repeat(32), spanId: 'a'.repeat(16), sampled: isSampled });
  const share = ids.filter((id) => sampler(undefined, id)).length / ids.length;
  return [Math.round(share * 100) / 100, sampler(parent(true), 'f'.repeat(32)), sampler(parent(false), '0'.repeat(32))];
}

describe('whether', () => {
  test.each([
    ['nothing is said', {}, undefined, false],
    ['an endpoint is said', endpoint, undefined, true],
    ['one for traces is said', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/v1/traces' }, undefined, true],
    ['it is empty', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, undefined, false],
    ['the SDK is disabled', { ...endpoint, OTEL_SDK_DISABLED: 'TRUE' }, undefined, false],
    ['the SDK is not disabled', { ...endpoint, OTEL_SDK_DISABLED: 'false' }, undefined, true],
    ['the config says off', endpoint, 'off', false],
    ['the config has an endpoint', {}, { endpoint: 'http://c', sample: 1, serviceName: 's' }, true],
    ['the config has none', {}, { sample: 1, serviceName: 's' }, false],
  ] as const)('%s', (_name, env, config, wanted) => {
    expect(wantsTracing(env, config)).toBe(wanted);
  });
});

describe('where to', () => {
  test('the path is put behind a base, and an endpoint of traces alone is taken as it is', () => {
    const at = (env: NodeJS.ProcessEnv) => on(env).endpoint.href;
    expect(at(endpoint)).toBe('http://collector:4318/v1/traces');
    expect(at({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c/base/' })).toBe('https://c/base/v1/traces');
    expect(at({ ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://t/x' })).toBe('http://t/x');
    expect(on({}, { endpoint: 'http://conf', sample: 1, serviceName: 's' }).endpoint.href).toBe(
      'http://conf/v1/traces',
    );
    expect(on(endpoint, { endpoint: 'http://conf', sample: 1, serviceName: 's' }).endpoint.host).toBe('collector:4318');
  });

  test('headers are percent-decoded; those of traces replace those of all signals', () => {
    const { headers } = on({ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b, x-y=1=2' });
    expect(headers).toEqual({ 'api-key': 'a b', 'x-y': '1=2' });
    const of = on({ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'a=1', OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'b=2' });
    expect(of.headers).toEqual({ b: '2' });
  });

  test('headers that cannot be read are left out, and not repeated', () => {
    const { headers, warnings } = on({ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=hunter2,%zz=%zz' });
    expect(headers).toEqual({});
    expect(warnings.join()).toContain('OTEL_EXPORTER_OTLP_HEADERS');
    expect(warnings.join()).not.toContain('hunter2');
  });

  test('a certificate is read, or nothing is sent to who knows whom', () => {
    const path = join(newFolder(), 'ca.pem');
    writeFileSync(path, 'PEM');
    expect(on({ ...endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE: path }).ca).toBe('PEM');
    expect(readTracing({ ...endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE: `${path}.gone` }).kind).toBe('off');
  });

  test.each([
    ['another exporter', { OTEL_TRACES_EXPORTER: 'zipkin' }, /OTEL_TRACES_EXPORTER/],
    ['gRPC', { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /4318/],
    ['a client certificate', { OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: '/x' }, /CLIENT_CERTIFICATE/],
    ['an endpoint that is none', { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, /URL/],
  ])('%s: nothing is traced, and it says why', (_name, env, why) => {
    const read = readTracing({ ...endpoint, ...env });
    expect(read).toMatchObject({ kind: 'off' });
    expect(read.warnings.join()).toMatch(why);
  });

  test('an exporter of none is no reason to say anything', () => {
    expect(readTracing({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' })).toEqual({ kind: 'off', warnings: [] });
  });

  test('what is only asked otherwise is said', () => {
    const { warnings } = on({
      ...endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    });
    expect(warnings).toHaveLength(2);
  });
});

describe('as whom', () => {
  const service = (env: NodeJS.ProcessEnv, config?: Parameters<typeof on>[1]) =>
    on({ ...endpoint, ...env }, config).resource;

  test('the service is named by its variable, then by the resource, then by the config', () => {
    const config = { sample: 1, serviceName: 'from-config', attributes: { 'deployment.environment.name': 'test' } };
    expect(service({})).toEqual({ 'service.name': 'jwtgate' });
    expect(service({}, config)).toEqual({ 'service.name': 'from-config', 'deployment.environment.name': 'test' });
    const attributes = { OTEL_RESOURCE_ATTRIBUTES: 'service.name=from-attributes,k8s.pod.name=p%2C1' };
    expect(service(attributes, config)).toMatchObject({ 'service.name': 'from-attributes', 'k8s.pod.name': 'p,1' });
    expect(service({ ...attributes, OTEL_SERVICE_NAME: 'from-variable' })).toMatchObject({
      'service.name': 'from-variable',
    });
  });
});

describe('how many', () => {
  test.each([
    [{}, [1, true, false]],
    [{ OTEL_TRACES_SAMPLER: 'always_on' }, [1, true, true]],
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, [0, false, false]],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, [0, true, false]],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' }, [0.25, false, true]],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' }, [0.01, true, false]],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, [0, true, false]],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: 'much' }, [1, true, false]],
    [{ OTEL_TRACES_SAMPLER: 'jaeger_remote' }, [1, true, false]],
  ])('%j', (env, expected) => {
    expect(sampled(env)).toEqual(expected);
  });

  test('the config’s share is for traces that begin here', () => {
    const { sampler } = on({}, { endpoint: 'http://c', sample: 0.5, serviceName: 's' });
    expect([sampler(undefined, `${'0'.repeat(19)}7${'f'.repeat(12)}`), sampler(undefined, 'f'.repeat(32))]).toEqual([
      true,
      false,
    ]);
  });

  test('the queue is bounded by its variables, within reason', () => {
    expect(on(endpoint).queue).toEqual({ delayMs: 5_000, spans: 2_048, batchSpans: 512 });
    const own = {
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_BSP_MAX_QUEUE_SIZE: '10',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '100',
    };
    expect(on({ ...endpoint, ...own }).queue).toEqual({ delayMs: 100, spans: 10, batchSpans: 10 });
    const wrong = on({ ...endpoint, OTEL_BSP_MAX_QUEUE_SIZE: '-1', OTEL_BSP_SCHEDULE_DELAY: '1e99' });
    expect(wrong.queue).toEqual({ delayMs: 5_000, spans: 2_048, batchSpans: 512 });
    expect(wrong.warnings).toHaveLength(2);
  });
});
