import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Expectation, Probe } from './probes.ts';
import type { DemoUpstream, SeenRequest } from './upstream.ts';

export interface ProbeResult {
  readonly probe: Probe;
  /** Status of the answer; 0 where none came. */
  readonly status: number;
  /** The reason that the gate gave, if it refused. */
  readonly reason: string | undefined;
  readonly seen: readonly SeenRequest[];
  /** What is not as expected; empty: all is. */
  readonly faults: readonly string[];
}

/** Long: where jwtgate runs emulated, on a busy machine, each first time takes seconds. */
const answerWithinMs = 60_000;

/** Sends one probe through the gate and holds the answer, and what the upstream saw, against what was expected. */
export async function fire(
  probe: Probe,
  gate: { host: string; port: number },
  upstream: DemoUpstream,
): Promise<ProbeResult> {
  upstream.takeSeen();
  const { status, body } = await send(probe, gate);
  const seen = upstream.takeSeen();
  const reason = reasonIn(body);
  return { probe, status, reason, seen, faults: faultsOf(probe.expect, { status, reason, seen }) };
}

async function send({ target, headers }: Probe, { host, port }: { host: string; port: number }) {
  const outgoing = request({
    host,
    port,
    path: target,
    headers,
    agent: false,
    signal: AbortSignal.timeout(answerWithinMs),
  });
  outgoing.end();
  try {
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, body: await text(response) };
  } catch (error) {
    return { status: 0, body: String(error) };
  }
}

function reasonIn(body: string): string | undefined {
  try {
    const { reason } = JSON.parse(body);
    return typeof reason === 'string' ? reason : undefined;
  } catch {
    return undefined;
  }
}

type Observed = Pick<ProbeResult, 'status' | 'reason' | 'seen'>;

function faultsOf(expected: Expectation, { status, reason, seen }: Observed): string[] {
  if (expected.kind === 'refused') {
    return [
      ...unlike('status', expected.status, status),
      ...unlike('reason', expected.reason, reason),
      ...(seen.length > 0 ? ['it reached the upstream'] : []),
    ];
  }
  const [arrived] = seen;
  if (arrived === undefined) return [...unlike('status', 200, status), 'it did not reach the upstream'];
  return [
    ...unlike('status', 200, status),
    ...unlike('requests upstream', 1, seen.length),
    ...unlike('target upstream', expected.target, arrived.target),
    ...Object.entries(expected.saw).flatMap(([name, value]) => unlike(name, value, arrived.headers[name])),
    ...expected.without.flatMap((name) => unlike(name, undefined, arrived.headers[name])),
  ];
}

function unlike(what: string, expected: string | number | undefined, found: string | number | undefined): string[] {
  return expected === found ? [] : [`${what} should be ${expected ?? 'absent'} and is ${found ?? 'absent'}`];
}
