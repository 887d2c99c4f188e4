import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { findSample } from '../support/exposition-parser.ts';
import { type HeldUpstream, startHeldUpstream } from '../support/held-upstream.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { configText, runGate, tokenOf } from '../support/running-gate.ts';

let upstream: HeldUpstream;
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(endAll);
afterAll(() => upstream.close());

test.for([
  ['fast', undefined],
  ['fast', 'lane: auto\n'],
  ['node', 'lane: node\n'],
] as const)(
  'an ordinary request takes the %s lane with %j in the config; log and metrics say so',
  async ([lane, more]) => {
    const gate = await runGate(
      configText({ upstreamPort: upstream.port, tenants: ['acme'], ...(more !== undefined && { more }) }),
    );
    expect((await gate.send('/acme/a', { token: tokenOf('acme') })).status).toBe(200);
    expect(await gate.process.logged('request')).toMatchObject({ lane, status: 200, bytes_out: 2 });
    const metrics = (await gate.ops('/metrics')).body;
    expect(findSample(metrics, 'jwtgate_request_lane_total', { lane })).toBe(1);
  },
);
