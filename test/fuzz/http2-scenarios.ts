import fc from 'fast-check';
import { flags, frame, headerBlock, uint32 } from '../support/http2-frames.ts';

/** Bytes to send next, given which streams the client has opened: `next` is the id of a new one. */
export type Act = (streams: { readonly next: number; readonly last: number }) => Buffer;

export interface Http2Scenario {
  readonly acts: readonly Act[];
  /** One of them is sent with a byte changed, one added or one missing. */
  readonly mangle:
    | { readonly at: number; readonly where: number; readonly byte: number; readonly how: number }
    | undefined;
  readonly client: 'waits' | 'leaves' | 'resets' | 'ends' | 'goes';
  readonly reads: boolean;
}

const priorityFlag = 0x20;
const paddedFlag = 0x8;

type Field = readonly [string, string];

const token = fc.stringMatching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,10}$/);
const value = fc.stringMatching(/^[\x20-\x7e\x80-\xff]{0,20}$/).map((text) => text.trim());
const path = fc.stringMatching(/^\/[A-Za-z0-9/._~-]{0,16}(\?[A-Za-z0-9=&%-]{0,10})?$/);
const method = fc.constantFrom('GET', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS');

const ordinaryField: fc.Arbitrary<Field> = fc.oneof(
  fc.tuple(token, value).map(([name, text]): Field => [`x-${name}`, text]),
  fc.constantFrom<Field[]>(
    ['cookie', 'a=b'],
    ['cookie', 'c=d'],
    ['x-user', 'evil'],
    ['x_user', 'evil'],
    ['te', 'trailers'],
    ['content-type', 'application/grpc'],
    ['expect', '100-continue'],
    ['trailer', 'x-sum'],
  ),
);

/** What attackers add, in the hope that somebody behind reads it otherwise. */
const hostileField = fc.constantFrom<Field[]>(
  ['connection', 'x-user'],
  ['connection', 'close'],
  ['transfer-encoding', 'chunked'],
  ['upgrade', 'h2c'],
  ['keep-alive', 'timeout=5'],
  ['proxy-connection', 'keep-alive'],
  ['content-length', '3'],
  ['content-length', '+3'],
  ['content-length', '3, 3'],
  ['content-length', '99999999999999999999'],
  ['host', 'other.example'],
  [':path', '/again'],
  [':authority', 'other.example'],
  [':method', 'POST'],
  [':protocol', 'websocket'],
  [':status', '200'],
  [':unknown', 'x'],
  ['X-Upper', 'x'],
  ['', 'no name'],
  ['x y', 'a space'],
  ['x:y', 'a colon'],
  ['x\r\ny', 'a line'],
  ['x-nul', 'a\0b'],
  ['x-line', 'a\r\nx-user: evil'],
  ['x-smuggle', 'a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['x-space', ' a '],
  ['te', 'gzip'],
);

const hostilePseudo = fc.constantFrom<Field[]>(
  [':method', 'CONNECT'],
  [':method', 'GE T'],
  [':method', 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET'],
  [':path', ''],
  [':path', '*'],
  [':path', 'no-slash'],
  [':path', '/a b'],
  [':path', '/ HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled'],
  [':path', 'http://other.example/'],
  [':path', '/#fragment'],
  [':scheme', 'ftp'],
  [':scheme', 'https\r\nx: y'],
  [':authority', 'user@gate.example'],
  [':authority', 'gate.example/path'],
  [':authority', ''],
);

/** Once in so many times. */
const onceIn = <T>(times: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: times - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

/** Anywhere from 0 to 1: of doubles, most would be next to nothing. */
const place = fc.nat(9_999).map((number) => ((number * 7_919) % 10_000) / 10_000);
const bytes = (most: number) =>
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: most }).map((all) => Buffer.from(all));

/** A HEADERS frame, and CONTINUATION frames where the block is cut; `body` undefined: the stream ends with the head. */
const request: fc.Arbitrary<Act> = fc
  .record({
    method,
    path,
    fields: fc.array(ordinaryField, { maxLength: 4 }),
    hostile: onceIn(5, fc.tuple(place, hostileField)),
    pseudo: onceIn(10, hostilePseudo),
    cuts: fc.array(place, { maxLength: 2 }),
    pad: onceIn(5, fc.integer({ min: 0, max: 40 })),
    prioritised: onceIn(5, fc.integer({ min: 0, max: 9 })),
    body: onceIn(2, fc.array(bytes(30), { maxLength: 3 })),
    length: fc.constantFrom('none', 'none', 'right', 'right', 'right', 'wrong'),
    ends: fc.constantFrom('data', 'data', 'trailers', 'never', 'empty'),
    trailers: fc.array(fc.oneof({ weight: 3, arbitrary: ordinaryField }, { weight: 1, arbitrary: hostileField }), {
      maxLength: 2,
    }),
  })
  .map((plan) => ({ next }) => {
    const { body, fields, hostile, pseudo, cuts, pad, prioritised, ends } = plan;
    const size = (body ?? []).reduce((sum, piece) => sum + piece.length, 0);
    const length: Field[] =
      body === undefined || plan.length === 'none'
        ? []
        : [['content-length', String(plan.length === 'right' ? size : size + 1)]];
    const all: Field[] = [
      [':method', plan.method],
      [':scheme', 'https'],
      [':path', plan.path],
      [':authority', 'gate.example'],
      ...fields,
      ...length,
    ];
    const named = pseudo === undefined ? all : all.map((field) => (field[0] === pseudo[0] ? pseudo : field));
    if (hostile !== undefined) named.splice(Math.floor(hostile[0] * (named.length + 1)), 0, hostile[1]);
    const end = body === undefined ? flags.endStream : 0;
    const frames = [headers(next, headerBlock(named), { end, cuts, pad, prioritised })];
    for (const [index, piece] of (body ?? []).entries()) {
      const isLast = ends === 'data' && index === (body ?? []).length - 1;
      frames.push(frame('DATA', isLast ? flags.endStream : 0, next, piece));
    }
    if (body !== undefined && ends === 'trailers') {
      frames.push(headers(next, headerBlock(plan.trailers), { end: flags.endStream, cuts: [] }));
    }
    if (body !== undefined && ends === 'empty') frames.push(frame('DATA', flags.endStream, next));
    return Buffer.concat(frames);
  });

interface HeadersOptions {
  readonly end: number;
  readonly cuts: readonly number[];
  readonly pad?: number | undefined;
  /** What it depends on, counted from 1; its own id is not out of bounds. */
  readonly prioritised?: number | undefined;
}

function headers(stream: number, block: Buffer, { end, cuts, pad, prioritised }: HeadersOptions): Buffer {
  const places = [0, ...cuts.map((cut) => Math.floor(cut * block.length)).toSorted((a, b) => a - b), block.length];
  const pieces = places.slice(1).map((to, index) => block.subarray(places[index], to));
  return Buffer.concat(
    pieces.map((piece, index) => {
      const endHeaders = index === pieces.length - 1 ? flags.endHeaders : 0;
      if (index > 0) return frame('CONTINUATION', endHeaders, stream, piece);
      const padded = pad === undefined ? 0 : paddedFlag;
      const priority = prioritised === undefined ? 0 : priorityFlag;
      const payload = [
        ...(pad === undefined ? [] : [Buffer.from([pad])]),
        ...(prioritised === undefined ? [] : [uint32(prioritised), Buffer.from([16])]),
        piece,
        Buffer.alloc(pad ?? 0),
      ];
      return frame('HEADERS', end | endHeaders | padded | priority, stream, Buffer.concat(payload));
    }),
  );
}

const many = (most: number) => fc.integer({ min: 1, max: most });
const repeat = (count: number, one: (index: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => one(index)));
const get = headerBlock([
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/'],
  [':authority', 'gate.example'],
]);

/** Known ways to make work or trouble (CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-27316, CVE-2025-8671). */
const storm: fc.Arbitrary<Act> = fc.oneof(
  many(300).map(
    (count): Act =>
      ({ next }) =>
        repeat(count, (index) => {
          const stream = next + 2 * index;
          const opened = frame('HEADERS', flags.endHeaders | flags.endStream, stream, get);
          return Buffer.concat([opened, frame('RST_STREAM', 0, stream, uint32(8))]);
        }),
  ),
  many(150).map(
    (count): Act =>
      ({ next }) =>
        repeat(count, (index) => {
          const stream = next + 2 * index;
          const opened = frame('HEADERS', flags.endHeaders, stream, get);
          return Buffer.concat([opened, frame('WINDOW_UPDATE', 0, stream, uint32(0))]);
        }),
  ),
  many(150).map(
    (count): Act =>
      ({ next }) =>
        repeat(count, (index) => frame('HEADERS', flags.endHeaders, next + 2 * index, get)),
  ),
  many(2_000).map(
    (count): Act =>
      () =>
        repeat(count, () => frame('PING', 0, 0, Buffer.alloc(8))),
  ),
  many(2_000).map(
    (count): Act =>
      () =>
        repeat(count, () => frame('SETTINGS', 0, 0)),
  ),
  many(500).map(
    (count): Act =>
      () =>
        repeat(count, () => frame('SETTINGS', flags.ack, 0)),
  ),
  many(500).map(
    (count): Act =>
      ({ last }) =>
        repeat(count, () => frame('DATA', 0, last)),
  ),
  many(200).map(
    (count): Act =>
      ({ last }) =>
        repeat(count, () => frame('DATA', paddedFlag, last, Buffer.from([40, ...Buffer.alloc(40)]))),
  ),
  many(500).map(
    (count): Act =>
      ({ last }) =>
        repeat(count, (index) => frame('PRIORITY', 0, last, Buffer.concat([uint32(index % 7), Buffer.from([255])]))),
  ),
  many(500).map(
    (count): Act =>
      ({ last }) =>
        repeat(count, () => frame('WINDOW_UPDATE', 0, last, uint32(1))),
  ),
  many(100).map(
    (count): Act =>
      ({ next }) =>
        Buffer.concat([frame('HEADERS', 0, next, get), repeat(count, () => frame('CONTINUATION', 0, next))]),
  ),
  fc.tuple(many(4_000), fc.integer({ min: 1, max: 127 })).map(
    ([count, index]): Act =>
      ({ next }) => {
        // One field that is indexed, named again and again (CVE-2016-6581).
        const literal = headerBlock([['x-a', 'a'.repeat(500)]]);
        literal[0] = 0x40;
        const block = Buffer.concat([get, literal, Buffer.alloc(count, 0x80 | index)]);
        return frame('HEADERS', flags.endHeaders | flags.endStream, next, block);
      },
  ),
);

const setting = fc.tuple(
  fc.integer({ min: 0, max: 10 }),
  fc.constantFrom(0, 1, 2, 100, 16_384, 65_535, 0x7fffffff, 0x80000000, 0xffffffff),
);

const control: fc.Arbitrary<Act> = fc.oneof(
  fc.array(setting, { maxLength: 5 }).map(
    (all): Act =>
      () => {
        const entries = all.map(([id, number]) => Buffer.concat([Buffer.from([0, id]), uint32(number)]));
        return frame('SETTINGS', 0, 0, Buffer.concat(entries));
      },
  ),
  fc.constantFrom(0, 1, 8, 0xffff).map(
    (code): Act =>
      ({ last }) =>
        frame('RST_STREAM', 0, last, uint32(code)),
  ),
  fc.constantFrom(0, 1, 1_000, 0x7fffffff).map(
    (size): Act =>
      () =>
        frame('WINDOW_UPDATE', 0, 0, uint32(size)),
  ),
  fc.constantFrom(0, 1, 1_000, 0x7fffffff).map(
    (size): Act =>
      ({ last }) =>
        frame('WINDOW_UPDATE', 0, last, uint32(size)),
  ),
  fc.constantFrom(0, 1, 11).map(
    (code): Act =>
      ({ last }) =>
        frame('GOAWAY', 0, 0, Buffer.concat([uint32(last), uint32(code)])),
  ),
  bytes(40).map(
    (block): Act =>
      ({ next }) =>
        frame('HEADERS', flags.endHeaders | flags.endStream, next, block),
  ),
  bytes(30).map(
    (data): Act =>
      ({ last }) =>
        frame('DATA', flags.endStream, last, data),
  ),
  fc.constant<Act>(({ last }) => frame('PUSH_PROMISE', flags.endHeaders, last, Buffer.concat([uint32(2), get]))),
);

/** Any type, flags, stream and length. */
const anyFrame: fc.Arbitrary<Act> = fc
  .tuple(
    fc.integer({ min: 0, max: 16 }),
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom('none', 'last', 'next', 'even', 'far'),
    bytes(40),
  )
  .map(([type, flagBits, which, payload]) => ({ next, last }) => {
    const stream = { none: 0, last, next, even: 2, far: 0x7fffffff }[which];
    const made = frame('DATA', flagBits, stream, payload);
    made[3] = type;
    return made;
  });

export const http2Scenarios: fc.Arbitrary<Http2Scenario> = fc.record({
  acts: fc.array(
    fc.oneof(
      { weight: 16, arbitrary: request },
      { weight: 2, arbitrary: control },
      { weight: 1, arbitrary: storm },
      { weight: 1, arbitrary: anyFrame },
    ),
    { minLength: 1, maxLength: 6 },
  ),
  mangle: onceIn(
    4,
    fc.record({ at: place, where: place, byte: fc.integer({ min: 0, max: 255 }), how: fc.integer({ min: 0, max: 2 }) }),
  ),
  client: fc.constantFrom('waits', 'waits', 'waits', 'leaves', 'resets', 'ends', 'goes'),
  reads: fc.constantFrom(true, true, true, true, true, false),
});
