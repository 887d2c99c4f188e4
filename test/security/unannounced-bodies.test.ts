import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testCertificates } from '../support/certificates.ts';
import { answerOf, type Http2Client, openHttp2 } from '../support/http2-client.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { rawRequest } from '../support/raw-client.ts';
import { runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { type LegacyService, startLegacyService } from '../support/system.ts';

/*
 * A binding that is optional holds where the request has no body. A body whose length nobody said is one all the same:
 * of HTTP/2 the most of them are so, as a stream ends by itself.
 */

let service: LegacyService;
let client: Http2Client;
let plainPort: number;
beforeAll(async () => {
  service = await startLegacyService();
  const { cert, key } = testCertificates().server;
  const start = async (listen: string) => {
    const folder = newFolder();
    await writeFile(join(folder, 'cert.pem'), cert);
    await writeFile(join(folder, 'key.pem'), key, { mode: 0o600 });
    return runGate(
      `listen: ${listen}
ops: 127.0.0.1:0
upstream: http://127.0.0.1:${service.port}
tenants:
  acme:
    secret: ${secretOf('acme')}
    bind: {sub: {from: body./user, optional: true}}
`,
      { folder },
    );
  };
  const tls = await start('{address: 127.0.0.1:0, tls: {cert: cert.pem, key: {file: key.pem}}}');
  plainPort = (await start('127.0.0.1:0')).proxyPort;
  // Last: a connection that sends nothing is let go after timeouts.header.
  client = await openHttp2({ port: tls.proxyPort });
});
afterAll(async () => {
  client.close();
  await endAll();
  await service.close();
});

const token = tokenOf('acme', { sub: 'joe' });

/** Over HTTP/2, without Content-Length. */
async function overHttp2(body: string): Promise<number> {
  const fields = {
    ':method': 'POST',
    ':path': '/x',
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
  };
  const stream = client.open(fields);
  stream.end(body);
  return (await answerOf(stream)).status;
}

/** Over HTTP/1.1, in chunks. */
async function inChunks(body: string): Promise<number> {
  const head = `POST /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  return (await rawRequest({ port: plainPort }, head + chunks)).status;
}

describe.each([
  ['over HTTP/2 without a length', overHttp2],
  ['in chunks', inChunks],
])('a body %s', (_, send) => {
  test('that names another user is refused', async () => {
    service.seen.length = 0;
    expect(await send('{"user":"eve"}')).toBe(403);
    expect(service.seen).toEqual([]);
  });

  test('that is no JSON is refused', async () => {
    service.seen.length = 0;
    expect(await send('user=eve')).toBe(400);
    expect(service.seen).toEqual([]);
  });

  test('that names the user, or nobody, goes on', async () => {
    for (const body of ['{"user":"joe"}', '{"other":1}']) {
      service.seen.length = 0;
      expect(await send(body)).toBe(200);
      expect(service.seen[0]?.body).toBe(body);
    }
  });
});
