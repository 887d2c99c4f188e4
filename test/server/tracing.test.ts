import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { newAuthority } from '../support/certificates.ts';
import { findSample } from '../support/exposition-parser.ts';
import { freePort } from '../support/free-port.ts';
import { type HeldUpstream, startHeldUpstream } from '../support/held-upstream.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { type CollectedSpan, type Collector, type CollectorAnswer, startCollector } from '../support/otlp-collector.ts';
import { rawRequest } from '../support/raw-client.ts';
import { configText, type RunningGate, runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { mintHs256 } from '../support/tokens.ts';
import { until } from '../support/until.ts';

let upstream: HeldUpstream;
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(endAll);
afterAll(() => upstream.close());

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const sampledParent = `00-${traceId}-${spanId}-01`;
const unsampledParent = `00-${traceId}-${spanId}-00`;
const lanes = ['auto', 'node'] as const;

const config = (more = '') => configText({ upstreamPort: upstream.port, tenants: ['acme'], more });

async function collector(answer?: (request: number) => CollectorAnswer | Promise<CollectorAnswer>): Promise<Collector> {
  const started = await startCollector(answer);
  onTestFinished(() => started.close());
  return started;
}

/** At once, so that a test need not wait. */
const soon = { OTEL_BSP_SCHEDULE_DELAY: '10' };

function traced(collector: Collector, env: NodeJS.ProcessEnv = {}, more = ''): Promise<RunningGate> {
  return runGate(config(more), { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...soon, ...env } });
}

const lastSeen = () => upstream.seen.at(-1)?.headers ?? {};
const ofKind = (spans: readonly CollectedSpan[], kind: number) => spans.filter((span) => span.kind === kind);

describe.each(lanes)('lane %s', (lane) => {
  test('without tracing traceparent and tracestate go on as they came, whatever they say', async () => {
    const gate = await runGate(config(`lane: ${lane}`));
    for (const traceparent of [sampledParent, unsampledParent, 'not one at all', `00-${traceId}-${spanId}-01-more`]) {
      await gate.send('/acme/x', { token: tokenOf('acme'), headers: { traceparent, tracestate: 'a=1, B ,' } });
      expect(lastSeen()).toMatchObject({ traceparent, tracestate: 'a=1, B ,' });
    }
    await gate.send('/acme/x', { token: tokenOf('acme') });
    expect(lastSeen()).not.toHaveProperty('traceparent');
  });

  test('a request is a server span and a client span below it, in its caller’s trace', async () => {
    const otlp = await collector();
    const gate = await traced(otlp, {}, `lane: ${lane}`);
    const headers = {
      traceparent: sampledParent,
      tracestate: 'a=1,b=2',
      'user-agent': 'test/1.0',
      host: 'app.example:81',
    };
    await gate.send('/acme/x?secret=hunter2', { token: tokenOf('acme'), headers });
    const spans = await otlp.gotSpans(2);
    const [server, client] = [ofKind(spans, 2)[0], ofKind(spans, 3)[0]];
    expect(server).toMatchObject({ traceId, parentSpanId: spanId, name: 'GET', flags: 0x301, traceState: 'a=1,b=2' });
    expect(server?.attributes).toEqual({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'url.scheme': 'http',
      'url.path': '/acme/x',
      'server.address': 'app.example',
      'server.port': 81,
      'client.address': '127.0.0.1',
      'network.peer.address': '127.0.0.1',
      'network.protocol.version': '1.1',
      'user_agent.original': 'test/1.0',
      'jwtgate.request_id': (await gate.process.logged('request')).request_id,
      'jwtgate.decision': 'allow',
      'jwtgate.tenant': 'acme',
      'jwtgate.lane': lane === 'auto' ? 'fast' : 'node',
    });
    expect(client).toMatchObject({
      traceId,
      parentSpanId: server?.spanId,
      name: 'GET',
      flags: 0x101,
      traceState: 'a=1,b=2',
    });
    expect(client?.attributes).toEqual({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'url.full': `http://127.0.0.1:${upstream.port}/acme/x`,
      'server.address': '127.0.0.1',
      'server.port': upstream.port,
      'network.protocol.version': '1.1',
    });
    expect(lastSeen()).toMatchObject({ traceparent: `00-${traceId}-${client?.spanId}-01`, tracestate: 'a=1,b=2' });
    for (const span of [server, client]) expect(span?.status).toBeUndefined();
    expect(BigInt(client?.startTimeUnixNano ?? 0)).toBeGreaterThanOrEqual(BigInt(server?.startTimeUnixNano ?? 0));
    expect(Math.abs(Number(server?.endTimeUnixNano) / 1e6 - Date.now())).toBeLessThan(60_000);
  });

  test('a request without a trace begins one; one with a broken context begins a new one and drops its state', async () => {
    const otlp = await collector();
    const gate = await traced(otlp, {}, `lane: ${lane}`);
    const contexts = [{}, { traceparent: `00-${'0'.repeat(32)}-${spanId}-01`, tracestate: 'a=1' }];
    for (const [index, headers] of contexts.entries()) {
      await gate.send('/acme/x', { token: tokenOf('acme'), headers });
      const server = ofKind(await otlp.gotSpans(2 * (index + 1)), 2)[index];
      expect(server?.parentSpanId).toBeUndefined();
      expect((await gate.process.logged('request')).trace_id).toBe(server?.traceId);
      expect(server?.traceId).not.toBe(traceId);
      expect(lastSeen().traceparent).toMatch(new RegExp(`^00-${server?.traceId}-[0-9a-f]{16}-01$`));
      expect(lastSeen()).not.toHaveProperty('tracestate');
    }
    expect(new Set(otlp.spans.map((span) => span.traceId)).size).toBe(2);
  });

  test('what a caller does not record is not recorded, and its context goes on untouched', async () => {
    const otlp = await collector();
    const gate = await traced(otlp, {}, `lane: ${lane}`);
    await gate.send('/acme/x', {
      token: tokenOf('acme'),
      headers: { traceparent: unsampledParent, tracestate: 'a=1' },
    });
    expect(lastSeen()).toMatchObject({ traceparent: unsampledParent, tracestate: 'a=1' });
    await gate.send('/acme/y', { token: tokenOf('acme'), headers: { traceparent: sampledParent } });
    const spans = await otlp.gotSpans(2);
    expect(
      spans.every(({ attributes }) => !String(attributes['url.path'] ?? attributes['url.full']).endsWith('/x')),
    ).toBe(true);
  });

  test('with traces that are not recorded, the upstream is told so', async () => {
    const otlp = await collector();
    const gate = await traced(otlp, { OTEL_TRACES_SAMPLER: 'always_off' }, `lane: ${lane}`);
    await gate.send('/acme/x', { token: tokenOf('acme') });
    expect(lastSeen().traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    await gate.send('/acme/x', { token: tokenOf('acme'), headers: { traceparent: sampledParent, tracestate: 'a=1' } });
    expect(lastSeen()).toMatchObject({ traceparent: unsampledParent, tracestate: 'a=1' });
    gate.process.signal('SIGTERM');
    await gate.process.ended;
    expect(otlp.requests).toEqual([]);
  });

  test('a refusal is a server span alone, with its reason, and no error of the server', async () => {
    const otlp = await collector();
    const gate = await traced(otlp, {}, `lane: ${lane}`);
    await gate.send('/acme/x');
    const [span, ...others] = await otlp.gotSpans(1);
    expect(others).toEqual([]);
    expect(span?.attributes).toMatchObject({
      'http.response.status_code': 401,
      'jwtgate.decision': 'deny',
      'jwtgate.reason': 'tokenMissing',
    });
    expect(span?.status).toBeUndefined();
    expect(span?.attributes).not.toHaveProperty('error.type');
  });

  test('an upstream that breaks off is an error of both spans', async () => {
    const otlp = await collector();
    const gate = await traced(otlp, {}, `lane: ${lane}`);
    const answer = gate.send('/acme/held', { token: tokenOf('acme') });
    (await upstream.nextHeld()).destroy();
    expect((await answer).status).toBe(502);
    const spans = await otlp.gotSpans(2);
    for (const span of spans) {
      expect(span.attributes['error.type']).toBe('upstreamUnreachable');
      expect(span.status).toEqual({ code: 2 });
    }
    expect(ofKind(spans, 3)[0]?.attributes).not.toHaveProperty('http.response.status_code');
  });

  test('a status of 500 is an error of both, one of 404 of the client span', async () => {
    const otlp = await collector();
    const gate = await traced(otlp, {}, `lane: ${lane}`);
    for (const [index, status] of [500, 404].entries()) {
      const answer = gate.send('/acme/held', { token: tokenOf('acme') });
      (await upstream.nextHeld()).writeHead(status).end();
      await answer;
      const spans = (await otlp.gotSpans(2 * (index + 1))).slice(2 * index);
      expect(ofKind(spans, 3)[0]).toMatchObject({ attributes: { 'error.type': String(status) }, status: { code: 2 } });
      expect(ofKind(spans, 2)[0]?.status).toEqual(status === 500 ? { code: 2 } : undefined);
    }
  });
});

test('no query, token or claim is in a span, wherever a token came', async () => {
  const otlp = await collector();
  const text = configText({ upstreamPort: upstream.port, tenants: [] }).replace(
    'tenants:',
    `tenants: {acme: {secret: ${secretOf('acme')}, algorithms: [HS256], token: [{header: Authorization, scheme: Bearer}, {query: jwt}, {cookie: session}], headers: {X-User: "\${claims.sub}"}}}`,
  );
  const gate = await runGate(text, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url, ...soon } });
  const good = tokenOf('acme', { sub: 'hunter2-the-subject' });
  const forged = mintHs256('another secret of enough length, really', {
    claims: { sub: 'hunter3', exp: 9_999_999_999 },
  });
  for (const token of [good, forged, good.slice(0, -5)]) {
    await gate.send('/x', { token });
    await gate.send(`/x?jwt=${token}`);
    await gate.send(`/${token}/x`, { headers: { cookie: `session=${token}`, 'user-agent': token } });
  }
  await otlp.gotSpans(9);
  gate.process.signal('SIGTERM');
  await gate.process.ended;
  const sent = otlp.requests.map(({ body }) => body).join('\n');
  expect(sent).not.toMatch(/hunter\d/);
  expect(sent).not.toContain('jwt=');
  for (const token of [good, forged]) {
    for (const part of token.split('.')) expect(sent.includes(part), part).toBe(false);
  }
  expect(gate.process.stdout).not.toContain('hunter');
});

test('methods that the conventions do not know become no names', async () => {
  const otlp = await collector();
  const gate = await traced(otlp);
  const head = `PROPFIND /acme/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${tokenOf('acme')}\r\nConnection: close\r\n\r\n`;
  await rawRequest({ port: gate.proxyPort }, head);
  for (const span of await otlp.gotSpans(1)) {
    expect(span.name).toBe('HTTP');
    expect(span.attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'PROPFIND',
    });
  }
});

test('the resource says who sends: service, version, instance, and what OTEL_RESOURCE_ATTRIBUTES adds', async () => {
  const otlp = await collector();
  const env = {
    OTEL_SERVICE_NAME: 'edge',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=hunter2',
  };
  const gate = await traced(otlp, env);
  await gate.send('/acme/x', { token: tokenOf('acme') });
  const [span] = await otlp.gotSpans(2);
  expect(span?.resource).toMatchObject({
    'service.name': 'edge',
    'service.version': expect.stringMatching(/^\d+\.\d+\.\d+/),
    'service.instance.id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    'deployment.environment.name': 'test',
    'telemetry.sdk.language': 'nodejs',
  });
  expect(otlp.requests[0]).toMatchObject({
    path: '/v1/traces',
    headers: { 'content-type': 'application/json', 'x-api-key': 'hunter2' },
  });
  expect(gate.process.stdout).not.toContain('hunter2');
});

test('the config says it too, and the environment goes before it', async () => {
  const [own, other] = [await collector(), await collector()];
  const more = `tracing: {endpoint: "${own.url}", serviceName: from-config, headers: {x-key: hunter2}, attributes: {a: b}}`;
  const byConfig = await runGate(config(more), { env: soon });
  await byConfig.send('/acme/x', { token: tokenOf('acme') });
  expect((await own.gotSpans(2))[0]?.resource).toMatchObject({ 'service.name': 'from-config', a: 'b' });
  expect(own.requests[0]?.headers['x-key']).toBe('hunter2');
  const byBoth = await runGate(config(more), { env: { ...soon, OTEL_EXPORTER_OTLP_ENDPOINT: other.url } });
  await byBoth.send('/acme/x', { token: tokenOf('acme') });
  await other.gotSpans(2);
  expect(own.requests).toHaveLength(1);
});

test('`tracing: off` and OTEL_SDK_DISABLED send nothing, and pass contexts on', async () => {
  const otlp = await collector();
  for (const [more, env] of [
    ['tracing: off', {}],
    ['', { OTEL_SDK_DISABLED: 'true' }],
  ] as const) {
    const gate = await traced(otlp, env, more);
    await gate.send('/acme/x', { token: tokenOf('acme'), headers: { traceparent: sampledParent } });
    expect(lastSeen().traceparent).toBe(sampledParent);
    gate.process.signal('SIGTERM');
    await gate.process.ended;
  }
  expect(otlp.requests).toEqual([]);
});

test('spans that wait are sent when the process ends', async () => {
  const otlp = await collector();
  const gate = await traced(otlp, { OTEL_BSP_SCHEDULE_DELAY: '60000' });
  for (let i = 0; i < 3; i++) await gate.send('/acme/x', { token: tokenOf('acme') });
  expect(otlp.spans).toEqual([]);
  gate.process.signal('SIGTERM');
  expect(await gate.process.ended).toBe(0);
  expect(otlp.spans).toHaveLength(6);
});

test('a collector that is away costs spans, not requests, is said once, and is found again', async () => {
  const port = await freePort();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, ...soon, OTEL_BSP_MAX_QUEUE_SIZE: '20' };
  const gate = await runGate(config(), { env });
  for (let i = 0; i < 60; i++) expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
  const count = async (result: string) =>
    findSample((await gate.ops('/metrics')).body, 'jwtgate_trace_spans_total', { result });
  await until('spans that are dropped', async () => ((await count('dropped')) ?? 0) > 0);
  expect(await count('exported')).toBe(0);
  gate.process.signal('SIGTERM');
  expect(await gate.process.ended).toBe(0);
  expect(
    gate.process.log.filter(({ msg }) => msg === 'spans are not taken: they are given up until they are'),
  ).toHaveLength(1);
});

test('a collector that never answers holds up neither requests nor the end', async () => {
  const otlp = await collector(() => new Promise<never>(() => {}));
  const gate = await traced(otlp, {
    OTEL_BSP_MAX_QUEUE_SIZE: '10',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2',
    OTEL_EXPORTER_OTLP_TIMEOUT: '600000',
  });
  for (let i = 0; i < 30; i++) expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
  expect(findSample((await gate.ops('/metrics')).body, 'jwtgate_trace_spans_total', { result: 'dropped' })).toBe(48);
  gate.process.signal('SIGTERM');
  expect(await gate.process.ended).toBe(0);
});

test('what a collector is too busy for is sent again; what it refuses is not', async () => {
  const busy = await collector((request) =>
    request === 1 ? { status: 503, headers: { 'Retry-After': '0' } } : { status: 200 },
  );
  const first = await traced(busy);
  await first.send('/acme/x', { token: tokenOf('acme') });
  await busy.gotSpans(2);
  expect(busy.requests).toHaveLength(2);
  expect(busy.requests[1]?.body).toBe(busy.requests[0]?.body);

  const refusing = await collector((request) => ({ status: request === 1 ? 403 : 200 }));
  const second = await traced(refusing);
  await second.send('/acme/x', { token: tokenOf('acme') });
  await second.process.logged('spans are not taken: they are given up until they are', { detail: 'status 403' });
  await second.send('/acme/y', { token: tokenOf('acme') });
  await refusing.gotSpans(2);
  await second.process.logged('spans are taken again');
  const { body } = await second.ops('/metrics');
  expect(findSample(body, 'jwtgate_trace_spans_total', { result: 'failed' })).toBe(2);
  expect(findSample(body, 'jwtgate_trace_spans_total', { result: 'exported' })).toBe(2);
});

test('what a collector says it left out counts as failed', async () => {
  const otlp = await collector(() => ({
    status: 200,
    body: '{"partialSuccess":{"rejectedSpans":"1","errorMessage":"x"}}',
  }));
  const gate = await traced(otlp);
  await gate.send('/acme/x', { token: tokenOf('acme') });
  await otlp.gotSpans(2);
  const count = async (result: string) =>
    findSample((await gate.ops('/metrics')).body, 'jwtgate_trace_spans_total', { result });
  await until('counts', async () => (await count('failed')) === 1);
  expect(await count('exported')).toBe(1);
});

test('a question of a front is a server span alone', async () => {
  const otlp = await collector();
  const gate = await traced(otlp, {}, 'verify: {address: 127.0.0.1:0, front: envoy}\ntrustedProxies: [127.0.0.1]');
  const port = Number(
    String(gate.process.log.find(({ msg }) => msg === 'started')?.verify)
      .split(':')
      .at(-1),
  );
  const head = [
    'GET /verify/acme/x HTTP/1.1',
    'Host: app.example',
    'X-Forwarded-Proto: https',
    'X-Forwarded-For: 203.0.113.9',
    `Traceparent: ${sampledParent}`,
    `Authorization: Bearer ${tokenOf('acme')}`,
  ];
  expect((await rawRequest({ port }, `${head.join('\r\n')}\r\n\r\n`)).status).toBe(200);
  const spans = await otlp.gotSpans(1);
  expect(spans).toHaveLength(1);
  expect(spans[0]).toMatchObject({
    traceId,
    parentSpanId: spanId,
    attributes: { 'jwtgate.lane': 'verify', 'client.address': '203.0.113.9', 'url.scheme': 'https' },
  });
});

test('a request of HTTP/2 has both spans, and the upstream its context', async () => {
  const otlp = await collector();
  const authority = newAuthority('a CA');
  const { cert, key } = authority.issue({ name: 'localhost', alternativeNames: ['localhost'] });
  const folder = newFolder();
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 });
  const listen = 'listen: {address: 127.0.0.1:0, tls: {cert: cert.pem, key: {file: key.pem}}}';
  const gate = await runGate(config().replace('listen: 127.0.0.1:0', listen), {
    folder,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url, ...soon },
  });
  const client = await openHttp2({ port: gate.proxyPort, ca: authority.ca });
  const answer = await client.get('/acme/x', {
    traceparent: sampledParent,
    authorization: `Bearer ${tokenOf('acme')}`,
  });
  expect(answer.status).toBe(200);
  client.close();
  const spans = await otlp.gotSpans(2);
  const [server, forwarded] = [ofKind(spans, 2)[0], ofKind(spans, 3)[0]];
  expect(server).toMatchObject({
    traceId,
    parentSpanId: spanId,
    attributes: { 'network.protocol.version': '2', 'url.scheme': 'https', 'jwtgate.lane': 'http2' },
  });
  expect(lastSeen().traceparent).toBe(`00-${traceId}-${forwarded?.spanId}-01`);
});

test('nothing of tracing is loaded where nothing is traced', async () => {
  const folder = newFolder();
  const loaded = join(folder, 'loaded.txt');
  const hook = join(folder, 'hook.mjs');
  writeFileSync(
    hook,
    `import { registerHooks } from 'node:module';
import { appendFileSync } from 'node:fs';
registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(loaded)}, url + '\\n'); return next(url, context); } });`,
  );
  const main = resolve(import.meta.dirname, '../../src/main.ts');
  const path = join(folder, 'config.yaml');
  writeFileSync(path, config());
  const modules = async (env: NodeJS.ProcessEnv) => {
    writeFileSync(loaded, '');
    const gate = startJwtgate(['run', '-c', path], { env, executable: [process.execPath, '--import', hook, main] });
    await gate.logged('started');
    gate.signal('SIGTERM');
    await gate.ended;
    return readFileSync(loaded, 'utf8')
      .split('\n')
      .filter((url) => /\/ops\/tracing\//.test(url));
  };
  expect(await modules({})).toEqual([]);
  expect(await modules({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' })).toEqual([]);
  expect((await modules({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })).length).toBeGreaterThan(4);
});
