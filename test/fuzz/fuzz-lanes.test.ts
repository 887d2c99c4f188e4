import { expect, test } from 'vitest';
import { fuzzLanes } from './fuzz-lanes.ts';

test('mangled requests, clients and upstreams that leave at any moment: nothing hangs, nothing goes unjudged', async () => {
  const { judged, forwarded, byLane } = await fuzzLanes({ seed: 20_261_122, connections: 300 });
  expect(judged).toBeGreaterThan(50);
  expect(forwarded).toBeGreaterThan(30);
  expect(byLane.fast).toBeGreaterThan(50);
  expect(byLane.node).toBeGreaterThan(10);
}, 60_000);
