import type { TraceParent } from '../trace-context.ts';

/** Whether a request is recorded; `parent` undefined: its trace begins here. */
export type Sampler = (parent: TraceParent | undefined, traceId: string) => boolean;

export const samplerNames = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type SamplerName = (typeof samplerNames)[number];

/** One of OpenTelemetry's samplers; `ratio`, from 0 to 1, is for those that go by the trace's id. */
export function compileSampler(name: SamplerName, ratio: number): Sampler {
  const root = rootSamplers[name.replace('parentbased_', '') as keyof typeof rootSamplers](ratio);
  if (!name.startsWith('parentbased_')) return (_parent, traceId) => root(traceId);
  return (parent, traceId) => (parent === undefined ? root(traceId) : parent.sampled);
}

const rootSamplers = {
  always_on: () => () => true,
  always_off: () => () => false,
  traceidratio: (ratio: number) => (traceId: string) => isBelow(traceId, ratio),
};

/** The last 52 of the id's bits as a fraction: all services that ask so of one trace agree. */
function isBelow(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}
