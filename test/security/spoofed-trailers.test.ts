import { expect, onTestFinished, test } from 'vitest';
import { rawRequest } from '../support/raw-client.ts';
import { secretOf, tokenOf } from '../support/running-gate.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { openDoor } from '../wire/lane-rig.ts';
import { gateOf } from '../wire/verify/verify-rig.ts';

// Some upstreams merge trailers into headers: what no client may say in a header, it may not say behind the body.

const configText = (port: number) => `
upstream: http://127.0.0.1:${port}
tenants:
  acme:
    secret: ${secretOf('acme')}
    algorithms: [HS256]
    headers: {X-User-Id: "\${claims.sub}"}
    bind: {sub: {from: header.X-Account, optional: true}}
`;

test.for(
  (['auto', 'node'] as const).flatMap((lane) =>
    [
      ['an identity', 'X-User-Id'],
      ['an identity in another spelling', 'x_user.id'],
      ['how a request was judged', 'X-Jwt-Auth'],
      ['what a rule reads', 'X_Account'],
      ['a token', 'Authorization'],
      ['another method', 'X-HTTP-Method-Override'],
      ['another method, in another spelling', 'X_HTTP_Method'],
      ['another path', 'X-Rewrite-URL'],
      ['a proxy to call others by', 'Proxy'],
      ['another client', 'X-Real-IP'],
      ['another client, in another spelling', 'x_forwarded_for'],
      ['a certificate', 'Client-Cert'],
      ['another type of the body', 'Content_Type'],
      ['another length of the body', 'Content_Length'],
      ['another host', 'Host'],
    ].map(([what, name]) => [what as string, name as string, lane] as const),
  ),
)('a trailer that says %s does not travel on (%s, by the lane %s); others do', async ([, name, lane]) => {
  const upstream = await startRawUpstream();
  onTestFinished(() => upstream.close());
  const { gate } = await gateOf(configText(upstream.port));
  const { port } = await openDoor(gate, lane);
  const head = `POST /x HTTP/1.1\r\nHost: gate.example\r\nAuthorization: Bearer ${tokenOf('acme')}\r\nTransfer-Encoding: chunked\r\n`;
  const body = `2\r\nhi\r\n0\r\n${name}: spoofed\r\nX-Note: 1\r\n\r\n`;
  const { status } = await rawRequest({ port }, `${head}Trailer: ${name}, X-Note\r\n\r\n${body}`);
  expect(status).toBe(200);
  const [request] = await upstream.gotRequests(1);
  expect(request?.trailers).toBe('X-Note: 1\r\n');
  expect(request?.headers.trailer ?? 'X-Note').toBe('X-Note');
});
