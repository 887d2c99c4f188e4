import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createDocumentFetcher, type DocumentRequest } from '../../src/keys/fetch-document.ts';
import { testCertificates } from '../support/certificates.ts';
import { type JwksServer, jsonAnswer, jwksServer } from '../support/jwks-server.ts';

const cleanUps: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function provider(...args: Parameters<typeof jwksServer>): Promise<JwksServer> {
  const server = await jwksServer(...args);
  cleanUps.push(() => server[Symbol.asyncDispose]());
  return server;
}

function request(url: string, more: Partial<DocumentRequest> = {}): DocumentRequest {
  return {
    url: new URL(url),
    headers: {},
    timeoutMs: 20_000,
    maxBytes: 10_000,
    ca: undefined,
    validators: {},
    skipCaches: false,
    reuseMs: 0,
    source: url,
    signal: new AbortController().signal,
    ...more,
  };
}

const fetchDocument = createDocumentFetcher({}, Date.now);

describe('a fetch', () => {
  test('gets a document, asking for plain JSON and nothing else', async () => {
    const server = await provider();
    server.answer = jsonAnswer({ keys: [] }, { etag: '"v1"', 'cache-control': 'max-age=120' });
    expect(await fetchDocument(request(`${server.url}?a=b`, { headers: { 'x-api-key': 'k' } }))).toEqual({
      kind: 'document',
      text: '{"keys":[]}',
      validators: { etag: '"v1"', lastModified: undefined },
      lifetimeMs: 120_000,
    });
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]).toMatchObject({ method: 'GET', path: '/jwks?a=b' });
    expect(server.requests[0]?.headers).toMatchObject({
      'x-api-key': 'k',
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'jwtgate',
    });
    expect(server.requests[0]?.headers['cache-control']).toBeUndefined();
  });

  test('revalidates with ETag and Last-Modified', async () => {
    const server = await provider();
    server.answer = (_request, response) => response.writeHead(304, { 'cache-control': 'max-age=60' }).end();
    const validators = { etag: '"v1"', lastModified: 'Sat, 01 Jan 2028 00:00:00 GMT' };
    expect(await fetchDocument(request(server.url, { validators }))).toEqual({
      kind: 'notModified',
      lifetimeMs: 60_000,
    });
    expect(server.requests[0]?.headers).toMatchObject({
      'if-none-match': '"v1"',
      'if-modified-since': 'Sat, 01 Jan 2028 00:00:00 GMT',
    });
  });

  test('takes 304 for a failure where nothing was asked conditionally', async () => {
    const server = await provider();
    server.answer = (_request, response) => response.writeHead(304).end();
    expect(await fetchDocument(request(server.url))).toMatchObject({ kind: 'failed', code: 'redirect' });
  });

  test('asks caches on the way to look again where told to', async () => {
    const server = await provider();
    await fetchDocument(request(server.url, { skipCaches: true }));
    expect(server.requests[0]?.headers['cache-control']).toBe('no-cache');
  });

  test.each([301, 302, 303, 307, 308])('does not follow a redirect (%i), and names where it leads', async (status) => {
    const server = await provider();
    const elsewhere = await provider();
    server.answer = (_request, response) => {
      response.writeHead(status, { location: `${elsewhere.url}?token=secret` }).end();
    };
    expect(await fetchDocument(request(server.url))).toEqual({
      kind: 'failed',
      code: 'redirect',
      detail: `status ${status} to "${elsewhere.url}?...": redirects are not followed, configure the final address`,
    });
    expect(elsewhere.requests).toEqual([]);
  });

  test.each([201, 204, 206, 400, 401, 403, 404, 429, 500, 502, 503])(
    'takes status %i for a failure',
    async (status) => {
      const server = await provider();
      server.answer = (_request, response) => response.writeHead(status).end();
      expect(await fetchDocument(request(server.url))).toEqual({
        kind: 'failed',
        code: 'badStatus',
        detail: `status ${status}`,
      });
    },
  );

  test('refuses a compressed answer', async () => {
    const server = await provider();
    server.answer = jsonAnswer({ keys: [] }, { 'content-encoding': 'gzip' });
    expect(await fetchDocument(request(server.url))).toMatchObject({ code: 'notJson' });
  });

  test('refuses a huge answer by its announced length, unread', async () => {
    const server = await provider();
    server.answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '10001' });
      response.write('{');
    };
    expect(await fetchDocument(request(server.url))).toMatchObject({ code: 'tooLarge' });
  });

  test('refuses an endless answer once it is too long, and hangs up', async () => {
    const server = await provider();
    const hungUp = new Promise<void>((resolve) => {
      server.answer = (_request, response) => {
        response.on('close', resolve);
        response.writeHead(200);
        const flood = () => {
          while (!response.destroyed && response.write('x'.repeat(1000)));
        };
        response.on('drain', flood);
        flood();
      };
    });
    expect(await fetchDocument(request(server.url))).toMatchObject({ code: 'tooLarge' });
    await hungUp;
  });

  test.each([
    ['never answers', () => {}],
    ['sends a head and no body', (_: unknown, response: { flushHeaders(): void }) => response.flushHeaders()],
  ])('gives up on a server that %s', async (_what, answer) => {
    const server = await provider();
    server.answer = answer as JwksServer['answer'];
    expect(await fetchDocument(request(server.url, { timeoutMs: 50 }))).toEqual({
      kind: 'failed',
      code: 'timeout',
      detail: 'no complete answer within 50 ms',
    });
  });

  test('gives up on a server that drips its answer', async () => {
    const server = await provider();
    let dripping: NodeJS.Timeout | undefined;
    server.answer = (_request, response) => {
      response.writeHead(200);
      dripping = setInterval(() => response.write(' '), 5);
    };
    cleanUps.push(() => clearInterval(dripping));
    expect(await fetchDocument(request(server.url, { timeoutMs: 60 }))).toMatchObject({ code: 'timeout' });
  });

  test('reports an absent server', async () => {
    const server = await provider();
    const { url } = server;
    await server[Symbol.asyncDispose]();
    expect(await fetchDocument(request(url))).toEqual({ kind: 'failed', code: 'unreachable', detail: 'ECONNREFUSED' });
  });

  test('reports a server that breaks off', async () => {
    const server = await provider();
    server.answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"keys":', () => response.destroy());
    };
    expect(await fetchDocument(request(server.url))).toMatchObject({ code: 'unreachable' });
    server.answer = (_request, response) => response.destroy();
    expect(await fetchDocument(request(server.url))).toMatchObject({ code: 'unreachable' });
  });

  test('reports a server that does not speak HTTP', async () => {
    const sockets = new Set<Socket>();
    const server = createTcpServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.write('SSH-2.0-OpenSSH_9.9\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    expect(await fetchDocument(request(`http://127.0.0.1:${port}/`))).toMatchObject({ kind: 'failed' });
  });

  test('ends when it is told to', async () => {
    const server = await provider();
    const abort = new AbortController();
    server.answer = () => abort.abort();
    expect(await fetchDocument(request(server.url, { signal: abort.signal }))).toMatchObject({ kind: 'failed' });
    expect(await fetchDocument(request(server.url, { signal: abort.signal }))).toMatchObject({ kind: 'failed' });
  });

  test('turns a header that can’t be sent into a failure', async () => {
    expect(await fetchDocument(request('http://127.0.0.1:1/', { headers: { 'x-a': 'a\r\nb: c' } }))).toMatchObject({
      kind: 'failed',
      code: 'unreachable',
    });
  });
});

describe('TLS', () => {
  test('by a private CA is trusted where that CA is configured, and only there', async () => {
    const { ca, server: certificate } = testCertificates();
    const server = await provider([], certificate);
    expect(await fetchDocument(request(server.url, { ca }))).toMatchObject({ kind: 'document' });
    expect(await fetchDocument(request(server.url))).toMatchObject({
      kind: 'failed',
      code: 'tls',
      detail: expect.stringMatching(/^the TLS connection failed: [A-Z_]+: .*: name the authority in `ca`$/),
    });
  });

  test('for another host is refused', async () => {
    const { ca, server: certificate } = testCertificates();
    const server = await provider([], certificate);
    const byAddress = server.url.replace('localhost', '127.0.0.1');
    expect(await fetchDocument(request(byAddress, { ca }))).toEqual({
      kind: 'failed',
      code: 'tls',
      detail:
        'the TLS connection failed: ERR_TLS_CERT_ALTNAME_INVALID: its certificate is for other names than the one in the URL',
    });
  });

  test('an unreadable CA is a failure, not an exception', async () => {
    expect(await fetchDocument(request('https://localhost:1/', { ca: 'no PEM' }))).toMatchObject({ kind: 'failed' });
  });
});

describe('egress through a proxy', () => {
  /** A proxy that knows one host name, which no resolver does. */
  async function proxyTo(target: JwksServer) {
    const seen: string[] = [];
    const { port } = new URL(target.origin);
    const server = createHttpServer((incoming, response) => {
      seen.push(`${incoming.method} ${incoming.url} ${incoming.headers['proxy-authorization'] ?? ''}`);
      jsonAnswer({ keys: [] })(incoming, response);
    });
    server.on('connect', (incoming, client: Socket) => {
      seen.push(`CONNECT ${incoming.url} ${incoming.headers['proxy-authorization'] ?? ''}`);
      const upstream = connect(Number(port), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        client.pipe(upstream).pipe(client);
      });
      for (const socket of [client, upstream]) socket.on('error', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { seen, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  test('goes through HTTPS_PROXY, with TLS to the provider itself', async () => {
    const { ca, keyProvider, server: another } = testCertificates();
    const proxy = await proxyTo(await provider([], keyProvider));
    const fetchThrough = createDocumentFetcher({ HTTPS_PROXY: `http://user:pass@${proxy.address}` }, Date.now);
    const ask = request('https://keys.test/jwks', { ca });
    expect(await fetchThrough(ask)).toMatchObject({ kind: 'document' });
    expect(proxy.seen).toEqual([`CONNECT keys.test:443 Basic ${Buffer.from('user:pass').toString('base64')}`]);

    const toAnother = await proxyTo(await provider([], another));
    const fetchAnother = createDocumentFetcher({ https_proxy: `http://${toAnother.address}` }, Date.now);
    expect(await fetchAnother(ask)).toMatchObject({ kind: 'failed', code: 'tls' });
  });

  test('goes through HTTP_PROXY for http', async () => {
    const proxy = await proxyTo(await provider());
    const fetchThrough = createDocumentFetcher({ http_proxy: `http://${proxy.address}` }, Date.now);
    expect(await fetchThrough(request('http://keys.test/jwks'))).toMatchObject({ kind: 'document' });
    expect(proxy.seen).toEqual(['GET http://keys.test/jwks ']);
  });

  test('goes past the proxy for what NO_PROXY names, and for loopback', async () => {
    const server = await provider();
    const proxy = await proxyTo(server);
    const env = { HTTP_PROXY: `http://${proxy.address}`, NO_PROXY: 'keys.invalid' };
    const fetchThrough = createDocumentFetcher(env, Date.now);
    expect(await fetchThrough(request('http://keys.invalid/'))).toMatchObject({ kind: 'failed', code: 'unreachable' });
    expect(await fetchThrough(request(server.url))).toMatchObject({ kind: 'document' });
    expect(proxy.seen).toEqual([]);
  });

  test('reports a proxy that is away or misspelt', async () => {
    const away = createDocumentFetcher({ HTTPS_PROXY: 'http://127.0.0.1:1' }, Date.now);
    expect(await away(request('https://keys.test/'))).toMatchObject({ kind: 'failed', code: 'unreachable' });
    const misspelt = createDocumentFetcher({ HTTPS_PROXY: 'not a url' }, Date.now);
    expect(await misspelt(request('https://keys.test/'))).toMatchObject({ kind: 'failed', code: 'unreachable' });
  });
});
