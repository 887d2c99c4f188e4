import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { createFrontDoor } from '../../src/wire/front-door.ts';
import { testCertificates } from '../support/certificates.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { frame, uint32 } from '../support/http2-frames.ts';
import { localhostTls } from '../support/tls.ts';
import { until } from '../support/until.ts';
import { createRandom, type FuzzCounts, mostMs, startFuzzWorld } from './fuzz-world.ts';
import { type Http2Scenario, http2Scenarios } from './http2-scenarios.ts';

const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame('SETTINGS', 0, 0)]);

/** A client that says nothing more, and does not leave, may stay for as long as timeouts and goodbyes take. */
const mostClosingMs = mostMs + 5_000;

/** Longer than timeouts.idle. */
const unreadMs = 1_600;

/** What one round may add to the memory of this process, clients included. */
const mostGrowthBytes = 400 * 1024 * 1024;

export interface Http2FuzzRun {
  readonly seed: number;
  readonly connections: number;
  /** What the upstream speaks. */
  readonly upstream: 'http1' | 'http2';
}

export interface Http2FuzzCounts extends FuzzCounts {
  /** How connections ended, by the front door's word. */
  readonly ends: Readonly<Record<string, number>>;
}

/**
 * Sends well-formed, hostile and mangled frames of HTTP/2, for so many connections. Throws as `fuzzLanes` does, and
 * where more requests were judged than streams opened, where memory grows without bound, or where an honest client is
 * not served beside and after it all.
 */
export async function fuzzHttp2({ seed, connections, upstream }: Http2FuzzRun): Promise<Http2FuzzCounts> {
  const world = await startFuzzWorld(createRandom(seed), upstream);
  const ends: Record<string, number> = {};
  const door = await createFrontDoor({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    gate: () => world.gate,
    tls: localhostTls({ http2: { maxStreams: 100 } }),
    onHttp2End(end) {
      ends[end] = (ends[end] ?? 0) + 1;
    },
  });
  const port = door.address.kind === 'tcp' ? door.address.port : 0;
  const before = process.memoryUsage().rss;
  try {
    const queue = fc.sample(http2Scenarios, { seed, numRuns: connections }).entries();
    const headsSent = await Promise.all(Array.from({ length: 32 }, () => runAll(queue, port)));
    await until('no exchange is left', () => door.activeExchanges === 0, mostMs);
    await until('no connection is left', () => door.openConnections === 0, mostMs);
    const sent = headsSent.reduce((sum, one) => sum + one, 0);
    if (world.gate.heads.length > sent) throw new Error(`${world.gate.heads.length} judged of ${sent} sent`);
    await serveHonest(port);
    await until('the honest client has left', () => door.activeExchanges === 0, mostMs);
    const growth = process.memoryUsage().rss - before;
    if (growth > mostGrowthBytes) throw new Error(`${Math.round(growth / 1e6)} MB more than before`);
    return { ...world.check(), ends };
  } finally {
    await door.close({ drainMs: 0 });
    await world.close();
  }
}

/** Any answer will do: the upstream has its moods. */
async function serveHonest(port: number): Promise<void> {
  const client = await openHttp2({ port });
  const asked = Array.from({ length: 10 }, () => client.get('/honest'));
  const answers = await within(Promise.allSettled(asked), mostMs).finally(client.close);
  if (answers.every(({ status }) => status === 'rejected')) throw new Error('an honest client is not served');
}

/** How many heads were sent. */
async function runAll(queue: Iterator<[number, Http2Scenario]>, port: number): Promise<number> {
  let heads = 0;
  for (let next = queue.next(); next.done !== true; next = queue.next()) {
    const [index, scenario] = next.value;
    try {
      heads += await run(scenario, port);
    } catch (error) {
      throw new Error(`connection ${index} (${scenario.client}, ${scenario.acts.length} acts)`, { cause: error });
    }
  }
  return heads;
}

async function run({ acts, mangle, client, reads }: Http2Scenario, port: number): Promise<number> {
  const beneath = connect({ port, host: '127.0.0.1', noDelay: true });
  beneath.on('error', () => undefined);
  const { ca } = testCertificates();
  const socket = connectTls({ socket: beneath, ca, servername: 'localhost', ALPNProtocols: ['h2'] });
  socket.on('error', () => undefined);
  // Who reads nothing at first would not notice the end of it, either.
  const reading = setTimeout(() => socket.resume(), reads ? 0 : unreadMs);
  let isClosed = false;
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isClosed = true;
      resolve();
    });
  });
  // All of it is one busy process: a handshake may take longer than timeouts.header.
  if (!(await once(socket, 'secureConnect').then(Boolean, () => false))) return 0;
  const pieces: Buffer[] = [preface];
  let next = 1;
  for (const act of acts) {
    const piece: Buffer = act({ next, last: Math.max(1, next - 2) });
    next = nextStream(piece, next);
    pieces.push(piece);
  }
  if (mangle !== undefined) {
    const at = 1 + Math.floor(mangle.at * acts.length);
    pieces[at] = mangled(pieces[at] as Buffer, mangle);
  }
  for (const piece of pieces) {
    if (isClosed) break;
    socket.write(piece);
    await new Promise(setImmediate);
  }
  if (client === 'leaves') beneath.destroy();
  else if (client === 'resets') beneath.resetAndDestroy();
  else if (client === 'ends') socket.end();
  else if (client === 'goes') socket.write(frame('GOAWAY', 0, 0, Buffer.concat([uint32(0), uint32(0)])));
  await within(closed, mostClosingMs).finally(() => clearTimeout(reading));
  beneath.destroy();
  return pieces.reduce((sum, piece) => sum + countHeads(piece), 0);
}

/** The first odd stream id that none of these frames has used. */
function nextStream(frames: Buffer, next: number): number {
  let free = next;
  for (let at = 0; at + 9 <= frames.length; at += 9 + frames.readUIntBE(at, 3)) {
    const stream = frames.readUInt32BE(at + 5);
    if (frames[at + 3] === 1 && stream >= free && stream % 2 === 1 && stream < 0x7fffffff) free = stream + 2;
  }
  return free;
}

/** At most so many heads: a mangled length may hide frames, or make some of what was none. */
function countHeads(frames: Buffer): number {
  let heads = 0;
  for (let at = 0; at + 9 <= frames.length; at++) if (frames[at + 3] === 1) heads++;
  return heads;
}

function mangled(piece: Buffer, { where, byte, how }: NonNullable<Http2Scenario['mangle']>): Buffer {
  const at = Math.floor(where * piece.length);
  const changed = how === 0 ? [] : [byte];
  return Buffer.concat([piece.subarray(0, at), Buffer.from(changed), piece.subarray(how === 1 ? at : at + 1)]);
}

async function within<T>(done: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`a connection hangs: open after ${ms} ms`)), ms);
  });
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}
