import { expect, onTestFinished, test } from 'vitest';
import { rawRequest } from '../support/raw-client.ts';
import { secretOf } from '../support/running-gate.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { openDoor } from '../wire/lane-rig.ts';
import { gateOf } from '../wire/verify/verify-rig.ts';

// Preflights that the upstream answers need no token: who makes them up must neither use up more than the upstream's rate
// nor get a token of ours to it.

const configText = (port: number) => `
upstream:
  url: http://127.0.0.1:${port}
  rate: {limit: 1/h, burst: 2}
  sign: {algorithm: HS256, secret: ${secretOf('upstream')}, payload: {iss: gate}, into: {header: X-Assertion}}
tenants:
  acme:
    secret: ${secretOf('acme')}
    algorithms: [HS256]
    cors: {origins: ["https://app.example"], preflight: pass}
`;

test.for(['auto', 'node'] as const)(
  'a flood of made-up preflights does not get past the rate of the upstream (lane %s)',
  async (lane) => {
    const upstream = await startRawUpstream();
    onTestFinished(() => upstream.close());
    const { gate } = await gateOf(configText(upstream.port));
    const { port } = await openDoor(gate, lane);
    const preflight = 'Origin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n';
    const statuses: number[] = [];
    for (let count = 0; count < 4; count++) {
      const { status } = await rawRequest(
        { port },
        `OPTIONS /x HTTP/1.1\r\nHost: a\r\n${preflight}X-Assertion: mine\r\n\r\n`,
      );
      statuses.push(status);
    }
    expect(statuses).toEqual([200, 200, 429, 429]);
    expect(upstream.requests()).toHaveLength(2);
    expect(upstream.received.toLowerCase()).not.toContain('x-assertion');
  },
);
