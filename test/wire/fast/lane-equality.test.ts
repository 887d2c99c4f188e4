import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { RequestHead } from '../../../src/gate/request-head.ts';
import { inPieces, mangledRequests, pieceCuts, requestBytes, requestParts } from '../../support/mangled-requests.ts';
import { openRawClient, type ParsedResponse, type RawClient } from '../../support/raw-client.ts';
import { type ReceivedRequest, readRequests, startRawUpstream } from '../../support/upstream.ts';
import { type FakeGate, fakeGate } from '../fake-gate.ts';
import { openDoor } from '../lane-rig.ts';
import { readAsFastLane } from './lane-reading.ts';

/**
 * What may differ between the lanes. All else is compared byte for byte: what the gate is asked, what the upstream
 * receives, what the client gets, what is reported.
 *
 * - Connection: keep-alive and Keep-Alive, which say what HTTP/1.1 takes for granted, are said by the node lane alone;
 *   it also asks the upstream to close after some chunked requests.
 * - Date, where the upstream sends none, is the time of each.
 * - Content-Length, Transfer-Encoding and Date have the same values, but Node spells and places them as it likes.
 * - Repeated fields go upstream where they stand, or (Node) beside the first, in its spelling; Cookie as one line.
 * - A request without a body has Content-Length: 0 or says nothing.
 * - A refusal of what never became a request may have a body even for a HEAD, and closes the connection.
 * - Chunks: the node lane makes new ones, and so does neither side mind where they end.
 * - `Outcome.lane`, the request's id, and times.
 *
 * The fast lane refuses what the node lane serves: a trailer of a name that belongs to one connection, extensions of a
 * chunk of more than 1 KiB, trailer sections over 8 KiB, and an upstream's answer in another coding than chunked.
 */
const connectionWords = new Set(['connection', 'keep-alive']);
const unordered = new Set(['content-length', 'transfer-encoding', 'date']);

interface Comparable {
  readonly start: string;
  readonly fields: readonly string[];
  readonly unordered: readonly string[];
  readonly body: string;
  readonly trailers: string;
}

function comparableRequest(request: ReceivedRequest): Comparable {
  const { fields, unordered, ...rest } = comparable(request.line, request, false);
  const grouped = new Map<string, string>();
  for (const field of fields) {
    const colon = field.indexOf(': ');
    const lower = field.slice(0, colon).toLowerCase();
    const before = grouped.get(lower);
    const separator = lower === 'cookie' ? '; ' : '\n';
    grouped.set(lower, before === undefined ? field : `${before}${separator}${field.slice(colon + 2)}`);
  }
  return {
    ...rest,
    fields: [...grouped.values()],
    unordered: unordered.filter((line) => line !== 'content-length: 0'),
  };
}

function comparable(start: string, message: ReceivedRequest | ParsedResponse, closes: boolean): Comparable {
  const { rawHeaders, body, trailers } = message;
  const fields: string[] = [];
  const set: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const lower = name.toLowerCase();
    const value = rawHeaders[i + 1] as string;
    if (unordered.has(lower)) set.push(`${lower}: ${/GMT$/.test(value) ? 'now' : value}`);
    else if (!connectionWords.has(lower) || (closes && value === 'close')) fields.push(`${name}: ${value}`);
  }
  return { start, fields, unordered: set.sort(), body, trailers };
}

interface Answer {
  readonly interim?: string;
  readonly head: string;
  readonly body: string;
}

const answers: readonly Answer[] = [
  { head: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  1 \r\nX-B:\r\n\r\n', body: 'hello' },
  {
    head: 'HTTP/1.1 200 OK\r\nDate: then\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n',
    body: '3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n',
  },
  {
    head: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n',
    body: '1\r\na\r\n0\r\nX-Sum: 1\r\nAuthorization: evil\r\n\r\n',
  },
  { head: 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', body: '' },
  { head: 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 9\r\n\r\n', body: '' },
  {
    head: 'HTTP/1.1 404 N\xf6\r\nConnection: X-Up, keep-alive\r\nX-Up: 1\r\nKeep-Alive: timeout=9\r\nContent-Length: 2\r\n\r\n',
    body: 'no',
  },
  {
    interim: 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
    head: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n',
    body: 'ok',
  },
  { interim: 'HTTP/1.1 100 Continue\r\n\r\n', head: 'HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n', body: '' },
  { head: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n', body: 'bye' },
  { head: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n', body: 'ok' },
  { head: 'HTTP/1.1 200 OK\r\nA: b\x00c\r\nContent-Length: 2\r\n\r\n', body: 'ok' },
  { head: 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\n', body: 'ok' },
  { head: 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', body: '' },
  { head: 'not HTTP at all\r\n\r\n', body: '' },
];

/** Every answer is decided by the request, so that both lanes get the same. */
function answerTo({ method, target, body }: ReceivedRequest): string {
  const { interim = '', head, body: content } = answers[(target.length + body.length) % answers.length] as Answer;
  return interim + head + (method === 'HEAD' ? '' : content);
}

/** All that the bytes of one connection brought about. */
interface Effect {
  readonly asked: readonly Omit<RequestHead, 'id'>[];
  readonly forwarded: readonly Comparable[];
  readonly answered: readonly Comparable[];
  /** Head of the answer to what was no request: its lines but for the date, in no order. */
  readonly refusal: readonly string[];
  readonly reported: readonly object[];
}

function refusalHead(text: string): string[] {
  const [head = ''] = text.split('\r\n\r\n', 1);
  return head
    .split('\r\n')
    .filter((line) => !line.startsWith('Date: '))
    .sort();
}

interface LaneUnderTest {
  readonly gate: FakeGate;
  /** Runs `talk` with a client of this lane, and tells what came of it. */
  effectOf(talk: (client: RawClient, answer: (toHead: boolean) => Promise<void>) => Promise<void>): Promise<Effect>;
}

async function startLaneUnderTest(lane: 'auto' | 'node'): Promise<LaneUnderTest> {
  let forwarded: Comparable[] = [];
  const upstream = await startRawUpstream((unanswered) => {
    const { requests, rest } = readRequests(unanswered);
    if (requests.length === 0 || rest !== '') return undefined;
    forwarded.push(...requests.map(comparableRequest));
    return requests.map(answerTo).join('');
  });
  onTestFinished(() => upstream.close());
  const gate = fakeGate({ upstream: upstream.upstream });
  const { port } = await openDoor(gate, lane);
  return {
    gate,
    async effectOf(talk) {
      forwarded = [];
      gate.heads.length = 0;
      gate.outcomes.length = 0;
      const answered: Comparable[] = [];
      const client = await openRawClient({ port, host: '127.0.0.1' });
      try {
        await talk(client, async (toHead) => {
          for (;;) {
            const answer = await client.response({ head: toHead });
            answered.push(comparable(`${answer.status} ${answer.reason}`, answer, true));
            if (answer.status >= 200) break;
          }
        });
        await client.closed();
      } finally {
        client.destroy();
      }
      await gate.gotOutcomes(gate.heads.length);
      return {
        asked: gate.heads.map(({ id: _, ...head }) => head),
        forwarded,
        answered,
        refusal: refusalHead(client.rest),
        reported: gate.outcomes.map(({ status, requestBytes, responseBytes, end, decision }) => {
          // How much of a body had come when it broke is a matter of buffers.
          const read = decision.kind === 'refused' ? undefined : requestBytes;
          return { status, read, responseBytes, end, decision: decision.kind };
        }),
      };
    },
  };
}

test('the same bytes, canonical, odd or broken, have the same effect through either lane', async () => {
  const [fast, node] = [await startLaneUnderTest('auto'), await startLaneUnderTest('node')];
  let compared = 0;
  let onFastLane = 0;
  await fc.assert(
    fc.asyncProperty(mangledRequests, pieceCuts, pieceCuts, async (text, cuts, laterCuts) => {
      const { requests, end, then, detail } = readAsFastLane(text);
      if (detail === 'a trailer of one connection') return;
      const talk = async (client: RawClient, answer: (toHead: boolean) => Promise<void>) => {
        for (const piece of inPieces(text.slice(0, end), cuts)) client.send(piece);
        for (const { method } of requests) await answer(method === 'HEAD');
        // What ends the connection comes when all others are answered, since the node lane would drop those that wait.
        // A request that is merely not whole is left out: a lane may see what is wrong with it before its line ends.
        if (then === 'illegal') for (const piece of inPieces(text.slice(end), laterCuts)) client.send(piece);
        if (then !== 'illegal') client.socket.end();
      };
      const [ours, theirs] = await Promise.all([fast.effectOf(talk), node.effectOf(talk)]);
      expect(ours).toEqual(theirs);
      compared += ours.answered.length;
      onFastLane += fast.gate.outcomes.filter(({ lane }) => lane === 'fast').length;
    }),
    { numRuns: 250 },
  );
  expect(compared).toBeGreaterThan(100);
  expect(onFastLane).toBeGreaterThan(100);
});

const oddRequests = [
  'POST /trailer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n',
  'GET /te HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n',
  'GET /nominated HTTP/1.1\r\nHost: a\r\nConnection: X-User, X-Gone\r\nX-Gone: 1\r\n\r\n',
  'PROPFIND /dav HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
  'GET  /spaces HTTP/1.1\r\nHost: a\r\n\r\n',
  '\r\nGET /empty-line HTTP/1.1\r\nHost: a\r\n\r\n',
];
/** These end their connection. */
const lastRequests = [
  'GET /old HTTP/1.0\r\nHost: a\r\n\r\n',
  'GET http://a/absolute HTTP/1.1\r\nHost: a\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n',
  'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /h2c HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
];

test('a connection whose requests turn odd goes on as if nothing had happened', async () => {
  const [fast, node] = [await startLaneUnderTest('auto'), await startLaneUnderTest('node')];
  let handedOver = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(requestParts.map(requestBytes).filter(isWhole), { minLength: 1, maxLength: 3 }),
      fc.array(fc.oneof(fc.constantFrom(...oddRequests), requestParts.map(requestBytes).filter(isWhole)), {
        maxLength: 3,
      }),
      fc.option(fc.constantFrom(...lastRequests), { nil: undefined }),
      pieceCuts,
      async (canonical, mixed, last, cuts) => {
        const talk = async (client: RawClient, answer: (toHead: boolean) => Promise<void>) => {
          for (const request of [...canonical, ...mixed, ...(last === undefined ? [] : [last])]) {
            for (const piece of inPieces(request, cuts)) client.send(piece);
            await answer(request.startsWith('HEAD'));
          }
          if (last === undefined) client.socket.end();
        };
        const [ours, theirs] = await Promise.all([fast.effectOf(talk), node.effectOf(talk)]);
        expect(ours).toEqual(theirs);
        const lanes = new Set(fast.gate.outcomes.map(({ lane }) => lane));
        if (lanes.size === 2) handedOver++;
      },
    ),
    { numRuns: 120 },
  );
  expect(handedOver).toBeGreaterThan(40);
});

function isWhole(text: string): boolean {
  const { requests, then } = readAsFastLane(text);
  return requests.length === 1 && then === 'nothing';
}
