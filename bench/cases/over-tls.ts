import type { Protocol } from '../load/load.ts';
import { measureLoad } from '../measure-load.ts';
import { type BenchCase, connections, type Goal, loadColumns } from './bench-case.ts';
import { describeCachedLoad } from './cached-tokens.ts';

/** Handshakes at a time: the load's core makes them, too. */
const handshakesAtOnce = 8;
/** Of each connection of HTTP/2, with as many requests at a time as `connections` over all of them. */
const http2Connections = 8;

const rateColumns = ['cpuUs', 'perSecond', 'busy', 'others', 'rssMb', 'anonMb'] as const;

/** HS256, whose verdicts nginx has not to reach and HAProxy reaches cheaply: what differs is TLS and HTTP/2. */
export const tlsCases: readonly BenchCase[] = [
  overTls('tls-get', 'GET over TLS 1.3, kept connections, tokens seen before', 'https', connections, loadColumns),
  overTls('tls-full', 'A full handshake and one GET', 'handshake', handshakesAtOnce, loadColumns),
  overTls('tls-resumed', 'A resumed session and one GET', 'resumption', handshakesAtOnce, loadColumns),
  overTls('h2-get', 'GET by HTTP/2, kept connections', 'h2', http2Connections, rateColumns),
];

function overTls(
  name: string,
  title: string,
  protocol: Protocol,
  atOnce: number,
  columns: BenchCase['columns'],
): BenchCase {
  const goals: readonly Goal[] = [];
  return {
    name,
    title,
    columns,
    goals,
    fresh: false,
    once: false,
    transport: 'tls',
    applies: (target) => target.speaksTls && target.verifies.includes('HS256'),
    async measure(running, bench, effort) {
      const load = { ...describeCachedLoad(running, bench, 'HS256'), protocol, connections: atOnce };
      // A protocol is code of its own, which has to be compiled, too; of the others there is none.
      const warmMs = protocol === 'h2' ? effort.compileMs : effort.warmMs;
      if (running.target.compilesAsItRuns) await measureLoad(running, { ...load, durationMs: warmMs }, bench);
      return measureLoad(running, { ...load, durationMs: Math.min(effort.measureMs, mostMeasureMs) }, bench);
    },
  };
}

/** So that all of it takes half a minute a round. */
const mostMeasureMs = 2_000;
