import { measureLoad } from '../measure-load.ts';
import type { Measurement } from '../metrics.ts';
import type { Bench, RunningTarget } from '../targets/target.ts';
import type { BenchCase, Effort } from './bench-case.ts';
import { describeCachedLoad } from './cached-tokens.ts';

/** Memory over many requests, good ones and forged ones in turn: a leak of a few bytes a request shows as a slope. */
export const flatMemoryCase: BenchCase = {
  name: 'memory',
  title: 'Memory over many requests, good and forged in turn',
  columns: ['requests', 'rssMb', 'anonMb', 'growthBytes'],
  goals: [
    { metric: 'rssMb', bound: 'at most', limit: 110 },
    { metric: 'anonMb', bound: 'at most', limit: 45 },
    { metric: 'growthBytes', bound: 'at most', limit: 2 },
  ],
  fresh: true,
  once: true,
  applies: (target) => target.name === 'jwtgate',
  measure: measureMemory,
};

interface Sample {
  readonly requests: number;
  readonly rssMb: number;
  readonly anonMb: number;
}

const stretchMs = 2_000;
const mostStretches = 3_000;

async function measureMemory(running: RunningTarget, bench: Bench, effort: Effort): Promise<Measurement> {
  const good = { ...describeCachedLoad(running, bench, 'RS256'), durationMs: stretchMs };
  const loads = [good, good, { ...good, tokens: { kind: 'forge' } as const }];
  const samples: Sample[] = [];
  const notes: string[] = [];
  let requests = 0;
  for (let i = 0; i < mostStretches && requests < effort.longRequests; i += 1) {
    const { values, notes: faults } = await measureLoad(running, loads[i % loads.length] ?? good, bench);
    requests += Math.round(((values.perSecond ?? 0) * stretchMs) / 1000);
    samples.push({ requests, rssMb: values.rssMb ?? 0, anonMb: values.anonMb ?? 0 });
    notes.push(...faults);
  }
  const rssMb = Math.max(...samples.map((sample) => sample.rssMb));
  const anonMb = Math.max(...samples.map((sample) => sample.anonMb));
  return { values: { requests, rssMb, anonMb, growthBytes: findSlope(samples) }, notes };
}

/** Bytes of private memory a request, over the second half of the samples: by then the heap has found its size. */
function findSlope(samples: readonly Sample[]): number {
  const half = samples.slice(samples.length >> 1);
  const meanX = half.reduce((sum, sample) => sum + sample.requests, 0) / half.length;
  const meanY = half.reduce((sum, sample) => sum + sample.anonMb, 0) / half.length;
  let above = 0;
  let below = 0;
  for (const sample of half) {
    above += (sample.requests - meanX) * (sample.anonMb - meanY);
    below += (sample.requests - meanX) ** 2;
  }
  return below === 0 ? 0 : (above / below) * 1e6;
}
