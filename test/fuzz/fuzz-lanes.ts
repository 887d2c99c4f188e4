import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { createFrontDoor } from '../../src/wire/front-door.ts';
import { testCertificates } from '../support/certificates.ts';
import { inPieces, mangledRequests, pieceCuts } from '../support/mangled-requests.ts';
import { type RawClient, rawClientOn } from '../support/raw-client.ts';
import { localhostTls } from '../support/tls.ts';
import { until } from '../support/until.ts';
import { createRandom, type FuzzCounts, mostMs, startFuzzWorld } from './fuzz-world.ts';

/** One client's connection: what it sends, and how it and the upstream behave. */
interface Scenario {
  readonly text: string;
  readonly cuts: readonly number[];
  readonly client: 'waits' | 'leaves' | 'resets' | 'ends' | 'garbles';
  /** Share of its bytes after which it does so. */
  readonly clientAt: number;
}

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  text: mangledRequests,
  cuts: pieceCuts,
  client: fc.constantFrom('waits', 'waits', 'waits', 'waits', 'leaves', 'resets', 'ends', 'garbles'),
  clientAt: fc.double({ min: 0, max: 1, noNaN: true }),
});

export interface FuzzRun {
  readonly seed: number;
  readonly connections: number;
  readonly over: 'tcp' | 'tls';
}

/**
 * Sends mangled requests through the front door, with clients and upstreams that leave at any moment, for so many
 * connections. Throws where a connection hangs, a request is finished twice or never, anything reaches the upstream
 * that was not judged, or more than was judged.
 */
export async function fuzzLanes({ seed, connections, over }: FuzzRun): Promise<FuzzCounts> {
  const world = await startFuzzWorld(createRandom(seed));
  const listen = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
  const tls = over === 'tls' ? localhostTls() : undefined;
  const door = await createFrontDoor({ listen, gate: () => world.gate, tls });
  const port = door.address.kind === 'tcp' ? door.address.port : 0;
  try {
    const queue = fc.sample(scenarios, { seed, numRuns: connections }).values();
    await Promise.all(Array.from({ length: 64 }, () => runAll(queue, port, over)));
    await until('no exchange is left', () => door.activeExchanges === 0, mostMs);
    return world.check();
  } finally {
    await door.close({ drainMs: 0 });
    await world.close();
  }
}

async function runAll(queue: Iterator<Scenario>, port: number, over: FuzzRun['over']): Promise<void> {
  for (let next = queue.next(); next.done !== true; next = queue.next()) {
    try {
      await run(next.value, port, over);
    } catch (error) {
      throw new Error(`with ${JSON.stringify(next.value)}`, { cause: error });
    }
  }
}

async function run(scenario: Scenario, port: number, over: FuzzRun['over']): Promise<void> {
  const { text, cuts, client: manner, clientAt } = scenario;
  const opened = await openClient(port, over);
  if (opened === undefined) return;
  const { client, beneath } = opened;
  const sent = manner === 'waits' ? text : text.slice(0, Math.floor(clientAt * text.length));
  for (const piece of inPieces(sent, cuts)) {
    client.send(piece);
    await new Promise(setImmediate);
  }
  if (manner === 'leaves') beneath.destroy();
  else if (manner === 'resets') beneath.resetAndDestroy();
  else if (manner === 'ends') client.socket.end();
  else if (manner === 'garbles') beneath.end(noRecord);
  await client.closed(mostMs);
  client.destroy();
  beneath.destroy();
}

/** Looks like a record of TLS, and is none of any connection; over TCP it is no request. */
const noRecord = Buffer.from(`\x17\x03\x03\x00\x20${'x'.repeat(32)}`, 'latin1');

interface Opened {
  readonly client: RawClient;
  /** The connection itself, where the client speaks TLS on it. */
  readonly beneath: Socket;
}

async function openClient(port: number, over: FuzzRun['over']): Promise<Opened | undefined> {
  const beneath = connect({ port, host: '127.0.0.1', noDelay: true });
  beneath.on('error', () => undefined);
  if (over === 'tcp') {
    const client = rawClientOn(beneath);
    await once(beneath, 'connect');
    return { client, beneath };
  }
  const { ca } = testCertificates();
  const socket = connectTls({ socket: beneath, ca, servername: 'localhost', ALPNProtocols: ['http/1.1'] });
  const client = rawClientOn(socket);
  // All of it is one busy process: a handshake may take longer than timeouts.header.
  const isSecure = await once(socket, 'secureConnect').then(Boolean, () => false);
  return isSecure ? { client, beneath } : undefined;
}
