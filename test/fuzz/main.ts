import { parseArgs } from 'node:util';
import { fuzzLanes } from './fuzz-lanes.ts';

/** `npm run fuzz`: rounds of mangled connections for so many seconds; the seed of a failing round is printed. */
const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, seed: { type: 'string' } },
});
const firstSeed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const endMs = performance.now() + Number(values.seconds) * 1000;
const roundConnections = 300;

let seed = firstSeed;
const total = { connections: 0, judged: 0, forwarded: 0, fast: 0, node: 0 };
do {
  try {
    const { connections, judged, forwarded, byLane } = await fuzzLanes({ seed, connections: roundConnections });
    total.connections += connections;
    total.judged += judged;
    total.forwarded += forwarded;
    total.fast += byLane.fast;
    total.node += byLane.node;
  } catch (error) {
    console.error(`failed in the round of seed ${seed}: npm run fuzz -- --seed ${seed} --seconds 0`);
    console.error(error);
    process.exit(1);
  }
  seed++;
} while (performance.now() < endMs);
console.log(
  `${total.connections} connections (seeds ${firstSeed} to ${seed - 1}): ${total.judged} requests judged, ` +
    `${total.forwarded} forwarded; ${total.fast} outcomes on the fast lane, ${total.node} on the node lane; nothing amiss`,
);
