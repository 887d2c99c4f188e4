import { onTestFinished } from 'vitest';
import type { Upstream } from '../../../src/gate/policy.ts';
import { createFrontDoor, type FrontDoor } from '../../../src/wire/front-door.ts';
import type { ServerTls } from '../../../src/wire/tls/server-tls.ts';
import type { TicketSecret } from '../../../src/wire/tls/ticket-keys.ts';
import { localhostTls } from '../../support/tls.ts';
import { type RawUpstream, type Reply, startRawUpstream } from '../../support/upstream.ts';
import { type FakeGate, type FakeGateOptions, fakeGate } from '../fake-gate.ts';

export interface TlsRig {
  readonly port: number;
  readonly door: FrontDoor;
  readonly gate: FakeGate;
  readonly upstream: RawUpstream;
  /** How handshakes ended, "end detail". */
  readonly handshakes: string[];
  /** How connections of HTTP/2 ended. */
  readonly http2Ends: string[];
}

export interface TlsRigOptions extends Omit<FakeGateOptions, 'upstream'> {
  readonly reply?: Reply;
  /** Changes to how the gate names the upstream. */
  readonly upstream?: Partial<Upstream>;
  /** Doors that share one stand for workers of one process. */
  readonly ticketSecret?: TicketSecret;
}

/** The front door with TLS, a gate of fixed opinion and an upstream; all closed when the test is over. */
export async function startTlsDoor(
  tls: ServerTls = localhostTls(),
  { reply, upstream: changes, ticketSecret, ...options }: TlsRigOptions = {},
): Promise<TlsRig> {
  const upstream = await startRawUpstream(reply);
  onTestFinished(() => upstream.close());
  const gate = fakeGate({ upstream: { ...upstream.upstream, ...changes }, ...options });
  const handshakes: string[] = [];
  const http2Ends: string[] = [];
  const door = await createFrontDoor({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    gate: () => gate,
    tls,
    ticketSecret,
    onHandshake: (end, detail) => void handshakes.push(`${end} ${detail}`.trim()),
    onHttp2End: (end) => void http2Ends.push(end),
  });
  onTestFinished(() => door.close({ drainMs: 0 }));
  if (door.address.kind !== 'tcp') throw new Error('not a TCP listener');
  return { port: door.address.port, door, gate, upstream, handshakes, http2Ends };
}
