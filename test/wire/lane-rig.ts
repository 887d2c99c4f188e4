import { onTestFinished } from 'vitest';
import type { Gate } from '../../src/gate/gate.ts';
import type { Upstream } from '../../src/gate/policy.ts';
import { createFrontDoor, type FrontDoor } from '../../src/wire/front-door.ts';
import { openRawClient, type ParsedResponse, type RawClient, rawRequest } from '../support/raw-client.ts';
import { localhostTls } from '../support/tls.ts';
import { type RawUpstream, type Reply, startRawUpstream } from '../support/upstream.ts';
import { type FakeGate, type FakeGateOptions, fakeGate } from './fake-gate.ts';

export interface LaneRig {
  readonly upstream: RawUpstream;
  readonly gate: FakeGate;
  readonly door: FrontDoor;
  readonly port: number;
  /** A client that is closed when the test is over. */
  client(): Promise<RawClient>;
  /** One request on a connection of its own. */
  request(text: string): Promise<ParsedResponse>;
}

export interface LaneRigOptions extends Omit<FakeGateOptions, 'upstream'> {
  readonly reply?: Reply;
  /** Default: what `LANE` says, so that the same tests run through both lanes. */
  readonly lane?: 'auto' | 'node';
  /** Changes to how the gate names the upstream. */
  readonly upstream?: Partial<Upstream>;
}

/** A raw upstream, a gate of fixed opinion, and the front door between them; all closed when the test is over. */
export async function startLane({
  reply,
  upstream: changes,
  lane,
  ...gateOptions
}: LaneRigOptions = {}): Promise<LaneRig> {
  const upstream = await startRawUpstream(reply);
  onTestFinished(() => upstream.close());
  const gate = fakeGate({ upstream: { ...upstream.upstream, ...changes }, ...gateOptions });
  const door = await openDoor(gate, lane);
  const { port } = door;
  return {
    upstream,
    gate,
    door: door.door,
    port,
    async client() {
      const client = await openRawClient({ port });
      onTestFinished(() => client.destroy());
      return client;
    },
    request: (text) => rawRequest({ port }, text),
  };
}

/** Where `OVER` says tls: the same tests again, over what both lanes take for a socket. */
const tlsOfThisRun = process.env.OVER === 'tls' ? localhostTls() : undefined;
const laneOfThisRun = process.env.LANE === 'node' ? 'node' : 'auto';

export async function openDoor(
  gate: Gate,
  lane: 'auto' | 'node' = laneOfThisRun,
): Promise<{ readonly door: FrontDoor; readonly port: number }> {
  const door = await createFrontDoor({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    gate: () => gate,
    lane,
    tls: tlsOfThisRun,
  });
  onTestFinished(() => door.close({ drainMs: 0 }));
  if (door.address.kind !== 'tcp') throw new Error('not a TCP listener');
  return { door, port: door.address.port };
}
