import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BodyPiece, createChunkedReader } from '../../../src/wire/fast/chunked.ts';
import { readChunked } from '../../support/raw-client.ts';

interface Read {
  readonly passed: string;
  /** How many of the given bytes belong to the body. */
  readonly used: number;
  readonly done: boolean;
  readonly problem: string | undefined;
  readonly bodyBytes: number;
  readonly pieces: readonly BodyPiece[];
  /** The same read for who frames it otherwise. */
  readonly data: string;
  readonly trailers: readonly string[];
}

/** Reads `text` in the given parts, as they would come from a socket. */
function read(parts: readonly string[]): Read {
  const reader = createChunkedReader((name) => name.startsWith('X-'));
  const bare = createChunkedReader((name) => name.startsWith('X-'));
  const pieces: BodyPiece[] = [];
  const data: Buffer[] = [];
  let used = 0;
  for (const part of parts) {
    const bytes = Buffer.from(part, 'latin1');
    if (reader.done || reader.problem !== undefined) break;
    const end = reader.read(bytes, 0, pieces);
    expect(bare.readData(bytes, 0, data)).toBe(end);
    used += end;
  }
  const passed = pieces.map((piece) => piece.toString('latin1' as never)).join('');
  const { done, problem, bodyBytes, trailers } = reader;
  expect(bare).toMatchObject({ done, problem, bodyBytes, trailers });
  return { passed, used, done, problem, bodyBytes, pieces, data: Buffer.concat(data).toString('latin1'), trailers };
}

const each = (text: string) => [...text];

describe('bodies that pass', () => {
  test.for([
    ['one chunk', '5\r\nhello\r\n0\r\n\r\n'],
    ['no chunk', '0\r\n\r\n'],
    ['several', '1\r\na\r\n2\r\nbc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n'],
    ['sizes in upper and lower case', 'a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n'],
    ['line ends within the data', '4\r\n\r\n\r\n\r\n0\r\n\r\n'],
    ['what looks like the end within the data', '5\r\n0\r\n\r\n\r\n0\r\n\r\n'],
  ] as const)('%s: to the byte', ([, text]) => {
    expect(read([text])).toMatchObject({ passed: text, used: text.length, done: true, problem: undefined });
    for (let cut = 1; cut < text.length; cut++) {
      const inTwo = read([text.slice(0, cut), text.slice(cut)]);
      expect(inTwo, `cut at ${cut}`).toMatchObject({ used: text.length, done: true, problem: undefined });
      expect(inTwo.passed.toLowerCase()).toBe(text.toLowerCase());
    }
    expect(read(each(text))).toMatchObject({ used: text.length, done: true });
  });

  test.for([
    ['leading zeros', '005\r\nhello\r\n0000\r\n\r\n'],
    ['an extension', '5;a\r\nhello\r\n0;b\r\n\r\n'],
    ['an extension with a value', '5;a=b;c\r\nhello\r\n0\r\n\r\n'],
    ['a quoted extension that looks like the end', '5;a="0\\";\t,"\r\nhello\r\n0\r\n\r\n'],
    ['a trailer that may not pass', '5\r\nhello\r\n0\r\nHost: evil\r\n\r\n'],
  ] as const)('%s: written anew', ([, text]) => {
    for (const parts of [[text], each(text)]) {
      const passed = '5\r\nhello\r\n0\r\n\r\n';
      expect(read(parts)).toMatchObject({ passed, done: true, bodyBytes: 5, data: 'hello', trailers: [] });
    }
  });

  test('trailers that may pass do, in canonical form', () => {
    const text = '0\r\nX-A:1\r\nY: 2\r\nX-B: \t3 \r\nx-c: 4\r\n\r\n';
    for (const parts of [[text], each(text)]) {
      const passed = '0\r\nX-A: 1\r\nX-B: 3\r\n\r\n';
      const trailers = ['X-A', '1', 'X-B', '3'];
      expect(read(parts)).toMatchObject({ passed, done: true, used: text.length, data: '', trailers });
    }
  });

  test('what comes behind the body is left alone', () => {
    for (const body of ['2\r\nhi\r\n0\r\n\r\n', '2\r\nhi\r\n0\r\nX-A: 1\r\n\r\n']) {
      const next = 'GET / HTTP/1.1\r\n\r\n';
      expect(read([body + next])).toMatchObject({ used: body.length, passed: body, done: true });
      const cut = body.length - 1;
      expect(read([body.slice(0, cut), body.slice(cut) + next])).toMatchObject({ used: body.length, done: true });
    }
  });

  test('a large canonical body goes through in one piece a read, without a copy', () => {
    const bytes = Buffer.from(`8000\r\n${'x'.repeat(0x8000)}\r\n4\r\nabcd\r\n0\r\n\r\n`, 'latin1');
    const pieces: BodyPiece[] = [];
    createChunkedReader(() => false).read(bytes, 0, pieces);
    expect(pieces).toHaveLength(1);
    expect(pieces[0]).toBe(bytes);
  });
});

describe('bodies that are broken off', () => {
  test.for([
    ['no size', '\r\nhello\r\n0\r\n\r\n'],
    ['no number', 'zz\r\nhello\r\n0\r\n\r\n'],
    ['a sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['a negative size', '-5\r\nhello\r\n0\r\n\r\n'],
    ['0x', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['an underscore', '0_5\r\nhello\r\n0\r\n\r\n'],
    ['a space before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
    ['a space behind the size', '5 \r\nhello\r\n0\r\n\r\n'],
    ['a tab behind the size', '5\t\r\nhello\r\n0\r\n\r\n'],
    ['a bare LF behind the size', '5\nhello\r\n0\r\n\r\n'],
    ['a bare CR behind the size', '5\rhello\r\n0\r\n\r\n'],
    ['two CRs behind the size', '5\r\r\nhello\r\n0\r\n\r\n'],
    ['a NUL behind the size', '5\x00\r\nhello\r\n0\r\n\r\n'],
    ['a size that no double holds', 'ffffffffffffffff\r\nhello\r\n0\r\n\r\n'],
    ['a size that wraps round to 5', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
    ['a size of more than 16 digits', '00000000000000005\r\nhello\r\n0\r\n\r\n'],
    ['an empty extension', '5;\r\nhello\r\n0\r\n\r\n'],
    ['a space before an extension', '5 ;a\r\nhello\r\n0\r\n\r\n'],
    ['a bare LF in an extension', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
    ['a bare CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
    ['a line end in a quoted extension', '5;a="\r\n"\r\nhello\r\n0\r\n\r\n'],
    ['a quoted extension without end', '5;a="b\r\nhello\r\n0\r\n\r\n'],
    ['an extension without end', `5;${'a'.repeat(2_000)}`],
    ['a chunk longer than its size', '4\r\nhello\r\n0\r\n\r\n'],
    ['a chunk shorter than its size', '6\r\nhello\r\n0\r\n\r\n'],
    ['a bare LF behind a chunk', '5\r\nhello\n0\r\n\r\n'],
    ['a bare CR behind a chunk', '5\r\nhello\r0\r\n\r\n'],
    ['nothing behind a chunk', '5\r\nhello0\r\n\r\n'],
    ['a bare LF as the last line', '0\r\n\n'],
    ['Content-Length as a trailer', '0\r\nContent-Length: 9\r\n\r\n'],
    ['Transfer-Encoding as a trailer', '0\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['Connection as a trailer', '0\r\nConnection: close\r\n\r\n'],
    ['a folded trailer', '0\r\nX-A: 1\r\n 2\r\n\r\n'],
    ['a trailer without a colon', '0\r\nX-A\r\n\r\n'],
    ['a space before a trailer colon', '0\r\nX-A : 1\r\n\r\n'],
    ['a bare LF behind a trailer', '0\r\nX-A: 1\n\r\n'],
    ['a NUL in a trailer', '0\r\nX-A: \x00\r\n\r\n'],
    ['a trailer section without end', `0\r\n${'X-A: 1\r\n'.repeat(2_000)}`],
    ['a request in place of the trailers', '0\r\nGET / HTTP/1.1\r\n\r\n'],
  ] as const)('%s', ([, text]) => {
    for (const parts of [[text], each(text)]) {
      const { passed, done, problem } = read(parts);
      expect(problem).toBeTypeOf('string');
      expect(done).toBe(false);
      // Nothing that was passed can be taken for a whole body.
      expect(readChunked(passed, 0)).toBeUndefined();
    }
  });
});

test('whatever passes is a chunked body to a strict reader, with the same data, in however many pieces it came', () => {
  const extension = fc.constantFrom('', ';a', ';a=b', ';q="x\\"y"', ';a;b');
  const zeros = fc.constantFrom('', '0', '000');
  const chunk = fc.tuple(zeros, fc.string({ minLength: 1, maxLength: 40 }), extension);
  const trailer = fc.constantFrom('', 'X-A: 1\r\n', 'Host: evil\r\n', 'X-A: 1\r\nEvil: 2\r\n');
  const body = fc.tuple(fc.array(chunk, { maxLength: 5 }), zeros, extension, trailer);
  fc.assert(
    fc.property(body, fc.array(fc.nat(200), { maxLength: 8 }), ([chunks, lastZeros, lastExtension, trailers], cuts) => {
      const data = chunks.map(([, text]) => Buffer.from(text, 'utf8').toString('latin1'));
      const lines = chunks.map(([more, , ext], i) => {
        const text = data[i] as string;
        return `${more}${text.length.toString(16)}${ext}\r\n${text}\r\n`;
      });
      const sent = `${lines.join('')}${lastZeros}0${lastExtension}\r\n${trailers}\r\n`;
      const places = [0, ...cuts.filter((cut) => cut < sent.length).sort((a, b) => a - b), sent.length];
      const parts = places.slice(1).map((to, i) => sent.slice(places[i], to));
      const result = read(parts);
      expect(result).toMatchObject({ done: true, used: sent.length, bodyBytes: data.join('').length });
      expect(result.data).toBe(data.join(''));
      const received = readChunked(result.passed, 0);
      expect(received).toEqual({
        body: data.join(''),
        trailers: trailers.includes('X-A') ? 'X-A: 1\r\n' : '',
        end: result.passed.length,
      });
    }),
    { numRuns: 500 },
  );
});
