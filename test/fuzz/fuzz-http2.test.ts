import { expect, test } from 'vitest';
import { fuzzHttp2 } from './fuzz-http2.ts';

test.for(['http1', 'http2'] as const)(
  'hostile and mangled frames of HTTP/2 before an upstream of %s: nothing hangs, nothing goes unjudged, memory is bounded',
  async (upstream) => {
    const run = { seed: 20_261_122, connections: 100, upstream };
    const { judged, forwarded, byLane, ends } = await fuzzHttp2(run);
    expect(judged).toBeGreaterThan(50);
    expect(forwarded).toBeGreaterThan(30);
    expect(byLane.http2).toBeGreaterThan(50);
    expect(Object.keys(ends)).toEqual(expect.arrayContaining(['complete', 'malformed']));
  },
);
