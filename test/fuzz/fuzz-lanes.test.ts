import { expect, test } from 'vitest';
import { fuzzLanes } from './fuzz-lanes.ts';

test.for(['tcp', 'tls'] as const)(
  'mangled requests over %s, clients and upstreams that leave at any moment: nothing hangs, nothing goes unjudged',
  async (over) => {
    const { judged, forwarded, byLane } = await fuzzLanes({ seed: 20_261_122, connections: 300, over });
    expect(judged).toBeGreaterThan(50);
    expect(forwarded).toBeGreaterThan(30);
    expect(byLane.fast).toBeGreaterThan(50);
    expect(byLane.node).toBeGreaterThan(10);
  },
);
