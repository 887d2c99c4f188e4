import { afterAll, expect, test } from 'vitest';
import { jwksServer } from '../support/jwks-server.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { runGate } from '../support/running-gate.ts';
import { newRsaKey } from '../support/tokens.ts';
import { until } from '../support/until.ts';

afterAll(endAll);

test.each(['jwks', 'discovery'] as const)(
  'a gate is not ready before a required %s source was fetched once, and stays ready when it fails later',
  async (kind) => {
    await using provider = await jwksServer();
    provider.answer = (_request, response) => response.writeHead(500).end();
    const url = kind === 'jwks' ? provider.url : provider.origin;
    const gate = await runGate(`
listen: 127.0.0.1:0
ops: 127.0.0.1:0
upstream: http://127.0.0.1:1
tenants:
  acme: {${kind}: {url: "${url}", required: true, refresh: 1s}, algorithms: [RS256], audience: any}
`);
    const waiting = await gate.ops('/readyz');
    expect(waiting.status).toBe(503);
    expect(waiting.body).toContain(`[-] keys: ${kind === 'jwks' ? provider.url : provider.origin}`);
    expect((await gate.ops('/livez')).status).toBe(200);

    const jwk = newRsaKey('one').publicJwk;
    provider.answer = (request, response) => {
      const metadata = { issuer: provider.origin, jwks_uri: provider.url };
      const body = request.url?.includes('well-known') ? metadata : { keys: [jwk] };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    await until('it is ready', async () => (await gate.ops('/readyz')).status === 200);
    provider.answer = (_request, response) => response.writeHead(500).end();
    const asked = provider.requests.length;
    await until('it was asked once more', () => provider.requests.length > asked + 1);
    expect((await gate.ops('/readyz')).status).toBe(200);
  },
);
