import { parseArgs } from 'node:util';
import { fuzzHttp2 } from './fuzz-http2.ts';
import { fuzzLanes } from './fuzz-lanes.ts';
import type { FuzzCounts } from './fuzz-world.ts';

/**
 * `npm run fuzz`: rounds of mangled connections for so many seconds, over TCP, TLS and HTTP/2 in turn; the seed of a
 * failing round is printed.
 */
const protocols = {
  http1: (seed: number) => fuzzLanes({ seed, connections: 300, over: 'tcp' }),
  tls: (seed: number) => fuzzLanes({ seed, connections: 300, over: 'tls' }),
  http2: (seed: number) => fuzzHttp2({ seed, connections: 150, upstream: 'http1' }),
  'http2-to-http2': (seed: number) => fuzzHttp2({ seed, connections: 150, upstream: 'http2' }),
} satisfies Record<string, (seed: number) => Promise<FuzzCounts>>;
type Protocol = keyof typeof protocols;
const names = Object.keys(protocols) as Protocol[];

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    seed: { type: 'string' },
    only: { type: 'string' },
  },
});
const chosen = names.filter((name) => values.only === undefined || values.only === name);
if (chosen.length === 0) {
  console.error(`--only takes one of: ${names.join(' ')}`);
  process.exit(64);
}
const firstSeed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const endMs = performance.now() + Number(values.seconds) * 1000;

let seed = firstSeed;
const total = { rounds: 0, judged: 0, forwarded: 0, fast: 0, node: 0, http2: 0, verify: 0 };
do {
  for (const protocol of chosen) {
    try {
      const { judged, forwarded, byLane } = await protocols[protocol](seed);
      total.rounds++;
      total.judged += judged;
      total.forwarded += forwarded;
      for (const lane of ['fast', 'node', 'http2'] as const) total[lane] += byLane[lane];
    } catch (error) {
      const again = `npm run fuzz -- --only ${protocol} --seed ${seed} --seconds 0`;
      console.error(`failed in the round of seed ${seed}: ${again}`);
      console.error(error);
      process.exit(1);
    }
  }
  seed++;
} while (performance.now() < endMs);
console.log(
  `${total.rounds} rounds (${chosen.join(', ')}; seeds ${firstSeed} to ${seed - 1}): ${total.judged} requests judged, ` +
    `${total.forwarded} forwarded; outcomes by lane: ${total.fast} fast, ${total.node} node, ${total.http2} http2; nothing amiss`,
);
// Clients that were cut amid a handshake may be open yet, to Node's own knowledge.
process.exit(0);
