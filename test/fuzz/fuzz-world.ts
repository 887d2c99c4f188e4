import type { ServerHttp2Stream } from 'node:http2';
import type { Outcome } from '../../src/gate/gate.ts';
import type { Upstream } from '../../src/gate/policy.ts';
import { startHttp2Upstream } from '../support/http2-upstream.ts';
import { type ReceivedRequest, readRequests, startRawUpstream, type UpstreamConnection } from '../support/upstream.ts';
import { allow, type FakeGate, fakeGate, refusal } from '../wire/fake-gate.ts';

/** The gate and the upstream that fuzzed clients meet, both of changing moods. */
export interface FuzzWorld {
  readonly gate: FakeGate;
  /**
   * Throws where anything reached the upstream that was not judged, or more often than it was, or where a request was
   * finished twice or never.
   */
  check(): FuzzCounts;
  close(): Promise<void>;
}

export interface FuzzCounts {
  readonly judged: number;
  readonly forwarded: number;
  readonly byLane: Readonly<Record<Outcome['lane'], number>>;
}

const answers = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nup to the end',
  'HTTP/1.0 200 OK\r\n\r\nup to the end',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
  'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n',
  'HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n',
  'nonsense\r\n\r\n',
  '',
] as const;

/** Small, so that what hangs is seen to. */
const timeouts = { headerMs: 2_000, idleMs: 800, connectMs: 2_000, responseMs: 800, drainDelayMs: 0, drainMs: 100 };

/** Longer than all of them together, on a busy machine. */
export const mostMs = 60_000;

/** `speaks`: what the upstream does. */
export async function startFuzzWorld(random: () => number, speaks: 'http1' | 'http2' = 'http1'): Promise<FuzzWorld> {
  if (speaks === 'http2') {
    const upstream = await startHttp2Upstream(({ stream }) => answerByHttp2(stream, random));
    const gate = judgingGate(upstream.upstream, random);
    const received = () =>
      upstream.requests.map(({ headers }) => ({
        method: headers[':method'] ?? '',
        target: headers[':path'] ?? '',
        headers: headers as Received['headers'],
      }));
    return { gate, check: () => check(received(), gate), close: upstream.close };
  }
  const upstream = await startRawUpstream((unanswered, connection) => reply(unanswered, connection, random));
  const gate = judgingGate(upstream.upstream, random);
  // Throws where a strict reader finds anything but requests.
  const received = () => upstream.connections.flatMap((connection) => readRequests(connection.received).requests);
  return { gate, check: () => check(received(), gate), close: upstream.close };
}

/** A request as it came to the upstream. */
type Received = Pick<ReceivedRequest, 'method' | 'target' | 'headers'>;

/** What an upstream of HTTP/2 may do with a stream; never refuse it untouched, which would allow any request again. */
const manners: readonly ((stream: ServerHttp2Stream) => void)[] = [
  (stream) => answerInFull(stream),
  (stream) => answerInFull(stream),
  (stream) => answerInFull(stream),
  (stream) => stream.respond({ ':status': 204 }, { endStream: true }),
  (stream) => {
    stream.additionalHeaders({ ':status': 103, link: '</a>' });
    answerInFull(stream);
  },
  (stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end('with trailers');
  },
  (stream) => {
    stream.respond({ ':status': 200, 'content-length': '99' });
    stream.write('short');
    setImmediate(() => stream.close(2));
  },
  (stream) => stream.close(8),
  (stream) => stream.close(0),
  // Naming the last stream that there can be: one beyond what it names may be sent again.
  (stream) => stream.session?.goaway(0, 0x7fffffff),
  (stream) => stream.session?.destroy(),
  () => undefined,
];

function answerInFull(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 });
  stream.end('hello');
}

function answerByHttp2(stream: ServerHttp2Stream, random: () => number): void {
  const answer = manners[Math.floor(random() * manners.length)];
  stream.resume();
  const act = () => {
    if (!stream.destroyed) answer?.(stream);
  };
  if (random() < 0.3) setImmediate(act);
  else act();
}

/** Every request gets an id of its own that only the gate can give; some are refused, some decided late. */
function judgingGate(upstream: Upstream, random: () => number): FakeGate {
  const gate = fakeGate({
    upstream,
    timeouts,
    decide: (head) => {
      const headers = allow(upstream, head).headers;
      const decision =
        random() < 0.15
          ? refusal('tokenMissing')
          : allow(upstream, head, { headers: [...headers, 'X-Judged', head.id] });
      return random() < 0.2 ? new Promise((resolve) => setImmediate(resolve, decision)) : decision;
    },
  });
  return gate;
}

/** Answers each whole request in one of many ways, and now and then dies in the midst of it. */
function reply(unanswered: string, connection: UpstreamConnection, random: () => number): string | undefined {
  const { requests, rest } = readRequests(unanswered);
  if (random() < 0.02) {
    connection.socket.resetAndDestroy();
    return undefined;
  }
  // An answer before the request is there in full.
  if (requests.length === 0 && random() > 0.02) return undefined;
  if (requests.length > 1 || (requests.length === 1 && rest !== '')) throw new Error('more than one request at once');
  const isHead = unanswered.startsWith('HEAD ');
  const answer = answers[Math.floor(random() * answers.length)] as string;
  const whole = isHead ? answer.slice(0, answer.lastIndexOf('\r\n\r\n') + 4) : answer;
  const isCut = random() < 0.1;
  const endsConnection = isCut || answer.includes('up to the end') || random() < 0.05;
  const text = isCut ? whole.slice(0, Math.floor(random() * whole.length)) : whole;
  if (endsConnection) setImmediate(() => connection.socket.end());
  return text === '' ? undefined : text;
}

function check(received: readonly Received[], gate: FakeGate): FuzzCounts {
  const asked = new Map(gate.heads.map((head) => [head.id, head]));
  const timesForwarded = new Map<string, number>();
  for (const { headers, method, target } of received) {
    const id = headers['x-judged'] ?? '';
    const head = asked.get(id);
    if (head === undefined) throw new Error(`unjudged upstream: ${method} ${target} (${id})`);
    if (head.method !== method || head.target !== target) throw new Error(`other than judged: ${method} ${target}`);
    if (headers['x-user'] !== 'verified') throw new Error(`a spoofed identity: ${headers['x-user']}`);
    timesForwarded.set(id, (timesForwarded.get(id) ?? 0) + 1);
  }
  for (const [id, times] of timesForwarded) {
    const method = asked.get(id)?.method ?? '';
    // One more for a kept connection that turned out dead.
    if (times > (['POST', 'PATCH'].includes(method) ? 1 : 2)) throw new Error(`${id} was forwarded ${times} times`);
  }
  const finished = new Set<string>();
  const byLane = { fast: 0, node: 0, http2: 0, verify: 0 };
  for (const { head, lane } of gate.outcomes) {
    byLane[lane]++;
    if (head === undefined) continue;
    if (finished.has(head.id)) throw new Error(`finished twice: ${head.id}`);
    finished.add(head.id);
  }
  for (const id of asked.keys()) if (!finished.has(id)) throw new Error(`never finished: ${id}`);
  return { judged: asked.size, forwarded: timesForwarded.size, byLane };
}

/** A small generator (mulberry32): the same run again for the same seed, but for what the network decides. */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
