import { describe, expect, test } from 'vitest';
import {
  type AnswerContext,
  type AnswerHead,
  mostAnswerHeadBytes,
  parseAnswerHead,
  putAnswer,
  putInterim,
} from '../../../src/wire/fast/answer-head.ts';
import { Outgoing } from '../../../src/wire/fast/outgoing.ts';

const context: AnswerContext = { method: 'GET', close: false, set: [], date: () => 'now' };
const ok = 'HTTP/1.1 200 OK\r\nDate: then\r\n';

function parsed(text: string): AnswerHead {
  for (let length = 0; length < text.length; length++) {
    expect(parseAnswerHead(Buffer.from(text.slice(0, length), 'latin1'), 0).kind, `${length} bytes`).toBe('incomplete');
  }
  const answer = parseAnswerHead(Buffer.from(`${text}body`, 'latin1'), 0);
  if (answer.kind !== 'head') throw new Error(JSON.stringify(answer));
  expect(answer.end).toBe(text.length);
  return answer;
}

function written(text: string, changes: Partial<AnswerContext> = {}): string {
  const out = new Outgoing();
  putAnswer(out, parsed(text), Buffer.from(text, 'latin1'), { ...context, ...changes });
  return String(out);
}

describe('what the client gets', () => {
  test.for([
    [
      'a plain answer',
      `${ok}Content-Length: 2\r\nX-Odd-CASE: a\r\n\r\n`,
      `${ok}Content-Length: 2\r\nX-Odd-CASE: a\r\nVia: 1.1 jwtgate\r\n\r\n`,
    ],
    [
      'no Date',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVia: 1.1 jwtgate\r\nDate: now\r\n\r\n',
    ],
    [
      'HTTP/1.0',
      'HTTP/1.0 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\n',
      `${ok}Content-Length: 2\r\nVia: 1.0 jwtgate\r\n\r\n`,
    ],
    [
      'a reason of other words',
      'HTTP/1.1 404 \xe9 no, no\r\nDate: then\r\nContent-Length: 2\r\n\r\n',
      'HTTP/1.1 404 \xe9 no, no\r\nDate: then\r\nContent-Length: 2\r\nVia: 1.1 jwtgate\r\n\r\n',
    ],
    [
      'an empty reason',
      'HTTP/1.1 299 \r\nDate: then\r\nContent-Length: 2\r\n\r\n',
      'HTTP/1.1 299 \r\nDate: then\r\nContent-Length: 2\r\nVia: 1.1 jwtgate\r\n\r\n',
    ],
    [
      'no reason, and no space for it',
      'HTTP/1.1 299\r\nDate: then\r\nContent-Length: 2\r\n\r\n',
      'HTTP/1.1 299 \r\nDate: then\r\nContent-Length: 2\r\nVia: 1.1 jwtgate\r\n\r\n',
    ],
    [
      'odd white space',
      `${ok}A:1\r\nB:  2\r\nC: 3 \t\r\nD:\r\nContent-Length: 2\r\n\r\n`,
      `${ok}A: 1\r\nB: 2\r\nC: 3\r\nD: \r\nContent-Length: 2\r\nVia: 1.1 jwtgate\r\n\r\n`,
    ],
    [
      'hop-by-hop fields',
      `${ok}Connection: keep-alive\r\nA: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nTE: x\r\nProxy-Authenticate: Basic\r\nHTTP2-Settings: x\r\nB: 2\r\nContent-Length: 2\r\n\r\n`,
      `${ok}A: 1\r\nB: 2\r\nContent-Length: 2\r\nVia: 1.1 jwtgate\r\n\r\n`,
    ],
    [
      'nominated fields',
      `${ok}X-Up: 1\r\nConnection: x-up, close\r\nA: 1\r\nContent-Length: 2\r\n\r\n`,
      `${ok}A: 1\r\nContent-Length: 2\r\nVia: 1.1 jwtgate\r\n\r\n`,
    ],
    [
      'chunks',
      `${ok}transfer-encoding: Chunked\r\nA: 1\r\n\r\n`,
      `${ok}A: 1\r\nVia: 1.1 jwtgate\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    [
      'chunks and trailers',
      `${ok}Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n`,
      `${ok}Trailer: X-Sum\r\nVia: 1.1 jwtgate\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    [
      'a body up to the end of the connection',
      `${ok}A: 1\r\n\r\n`,
      `${ok}A: 1\r\nVia: 1.1 jwtgate\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    [
      '204',
      'HTTP/1.1 204 No Content\r\nDate: then\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 204 No Content\r\nDate: then\r\nVia: 1.1 jwtgate\r\n\r\n',
    ],
    [
      '304',
      'HTTP/1.1 304 Not Modified\r\nDate: then\r\nContent-Length: 7\r\n\r\n',
      'HTTP/1.1 304 Not Modified\r\nDate: then\r\nContent-Length: 7\r\nVia: 1.1 jwtgate\r\n\r\n',
    ],
  ] as const)('%s', ([, from, expected]) => {
    expect(written(from)).toBe(expected);
  });

  test('to a HEAD: a length that describes, and no chunks', () => {
    const head = { method: 'HEAD' };
    expect(written(`${ok}Content-Length: 2\r\n\r\n`, head)).toBe(`${ok}Content-Length: 2\r\nVia: 1.1 jwtgate\r\n\r\n`);
    expect(written(`${ok}Transfer-Encoding: chunked\r\n\r\n`, head)).toBe(`${ok}Via: 1.1 jwtgate\r\n\r\n`);
    expect(written(`${ok}\r\n`, head)).toBe(`${ok}Via: 1.1 jwtgate\r\n\r\n`);
  });

  test('a last answer says so', () => {
    expect(written(`${ok}Content-Length: 2\r\n\r\n`, { close: true })).toContain('\r\nConnection: close\r\n');
  });

  test('what the gate sets replaces what the upstream said, and adds to Vary', () => {
    const set = ['Access-Control-Allow-Origin', 'https://a', 'Vary', 'Origin'];
    const from = `${ok}Vary: Accept\r\naccess-control-allow-origin: *\r\nContent-Length: 2\r\n\r\n`;
    expect(written(from, { set })).toBe(
      `${ok}Vary: Accept\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: https://a\r\nVary: Origin\r\nVia: 1.1 jwtgate\r\n\r\n`,
    );
  });

  test('interim answers pass without framing, hop-by-hop and nominated fields', () => {
    const text = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Up\r\nX-Up: 1\r\nContent-Length: 3\r\n\r\n';
    const out = new Outgoing();
    putInterim(out, parsed(text), Buffer.from(text));
    expect(String(out)).toBe('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
  });
});

describe('how long the connection may live', () => {
  test.for([
    ['HTTP/1.1 200 OK\r\n\r\n', true, undefined],
    ['HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n', false, undefined],
    ['HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n', false, undefined],
    ['HTTP/1.1 200 OK\r\nConnection: close, keep-alive\r\n\r\n', false, undefined],
    ['HTTP/1.0 200 OK\r\n\r\n', false, undefined],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n', true, undefined],
    ['HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\n\r\n', true, 5_000],
    ['HTTP/1.1 200 OK\r\nKeep-Alive: max=100, timeout=7\r\n\r\n', true, 7_000],
    ['HTTP/1.1 200 OK\r\nKeep-Alive: mytimeout=7\r\n\r\n', true, undefined],
  ] as const)('%s', ([text, keepAlive, keepAliveMs]) => {
    expect(parsed(text)).toMatchObject({ keepAlive, keepAliveMs });
  });
});

test.for([
  ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
  ['no HTTP, and little of it', 'not HTTP'],
  ['the beginning of another version', 'HTTP/2'],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['a version in lower case', 'http/1.1 200 OK\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['a status of letters', 'HTTP/1.1 2xx OK\r\n\r\n'],
  ['two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['a bare LF behind the status line', 'HTTP/1.1 200 OK\nA: 1\r\n\r\n'],
  ['a bare CR in the reason', 'HTTP/1.1 200 O\rK\r\n\r\n'],
  ['a NUL in the reason', 'HTTP/1.1 200 O\x00K\r\n\r\n'],
  ['a folded field', `${ok}A: 1\r\n 2\r\n\r\n`],
  ['a space before the colon', `${ok}A : 1\r\n\r\n`],
  ['a bare LF behind a field', `${ok}A: 1\nB: 2\r\n\r\n`],
  ['a NUL in a value', `${ok}A: \x00\r\n\r\n`],
  ['two Content-Lengths', `${ok}Content-Length: 2\r\nContent-Length: 2\r\n\r\n`],
  ['a list of Content-Lengths', `${ok}Content-Length: 2, 2\r\n\r\n`],
  ['a negative Content-Length', `${ok}Content-Length: -2\r\n\r\n`],
  ['Content-Length beside Transfer-Encoding', `${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['another coding', `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  ['chunked twice', `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['a head without end', ok + `A: ${'b'.repeat(1_000)}\r\n`.repeat(mostAnswerHeadBytes / 1_000 + 1)],
] as const)('an upstream that answers with %s is not believed', ([, text]) => {
  expect(parseAnswerHead(Buffer.from(text, 'latin1'), 0)).toMatchObject({ kind: 'broken' });
});
