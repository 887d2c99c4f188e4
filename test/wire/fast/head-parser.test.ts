import { describe, expect, test } from 'vitest';
import { type ParsedHead, parseRequestHead } from '../../../src/wire/fast/head-parser.ts';

const limits = { headerBytes: 1_000, headerCount: 10 };
const start = 'GET /a?b=c HTTP/1.1\r\n';
const host = 'Host: a\r\n';

function parse(text: string, from = 0): ParsedHead {
  return parseRequestHead(Buffer.from(text, 'latin1'), from, limits);
}

/** What the parser says of each beginning of `text`, without repetitions. */
function storyOf(text: string): string[] {
  const story: string[] = [];
  for (let length = 0; length <= text.length; length++) {
    const { kind } = parse(text.slice(0, length));
    if (story.at(-1) !== kind) story.push(kind);
  }
  return story;
}

describe('canonical heads', () => {
  test.for([
    ['a plain GET', `${start}${host}\r\n`, { method: 'GET', target: '/a?b=c', headers: ['Host', 'a'] }],
    [
      'order, spelling and repetition of fields',
      `${start}x: 1\r\n${host}X: 2\r\n\r\n`,
      {
        headers: ['x', '1', 'Host', 'a', 'X', '2'],
      },
    ],
    [
      'white space around a value',
      `${start}${host}X: \t a b \t\r\nY:c\r\nZ:\r\n\r\n`,
      {
        headers: ['Host', 'a', 'X', 'a b', 'Y', 'c', 'Z', ''],
      },
    ],
    ['obs-text in a value', `${start}${host}X: \xe9\xff\x80\r\n\r\n`, { headers: ['Host', 'a', 'X', '\xe9\xff\x80'] }],
    [
      'a value long enough to be cut out by itself',
      `${start}${host}X: ${'v'.repeat(200)}\r\n\r\n`,
      {
        headers: ['Host', 'a', 'X', 'v'.repeat(200)],
      },
    ],
    [
      'every tchar in a name',
      `${start}${host}!#$%&'*+-.^_\`|~09azAZ: 1\r\n\r\n`,
      {
        headers: ['Host', 'a', "!#$%&'*+-.^_`|~09azAZ", '1'],
      },
    ],
    [
      'every visible character in a target',
      `GET /!"$%&'()*+,-./09:;<=>?@AZ[\\]^_\`az{|}~ HTTP/1.1\r\n${host}\r\n`,
      {
        target: '/!"$%&\'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~',
      },
    ],
    ['no body', `POST / HTTP/1.1\r\n${host}\r\n`, { body: { kind: 'none' } }],
    ['a length', `POST / HTTP/1.1\r\n${host}content-LENGTH: 12\r\n\r\n`, { body: { kind: 'length', bytes: 12 } }],
    ['a length of nothing', `PUT / HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`, { body: { kind: 'none' } }],
    ['a body on GET', `${start}${host}Content-Length: 3\r\n\r\n`, { body: { kind: 'length', bytes: 3 } }],
    ['chunks', `PATCH / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`, { body: { kind: 'chunked' } }],
    [
      'chunks on DELETE',
      `DELETE / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`,
      { body: { kind: 'chunked' } },
    ],
    ['Connection: close', `${start}${host}Connection: Close\r\n\r\n`, { close: true }],
    ['Connection: keep-alive', `${start}${host}connection: keep-alive\r\n\r\n`, { close: false }],
    ['HEAD', `HEAD / HTTP/1.1\r\n${host}\r\n`, { method: 'HEAD' }],
    ['OPTIONS', `OPTIONS / HTTP/1.1\r\n${host}\r\n`, { method: 'OPTIONS' }],
    ['an IPv6 Host with port', `${start}Host: [::1]:8080\r\n\r\n`, { headers: ['Host', '[::1]:8080'] }],
  ] as const)('%s', ([, text, expected]) => {
    expect(parse(text)).toMatchObject({ kind: 'head', end: text.length, ...expected });
    // In pieces: nothing is known before the last byte, and what follows changes nothing.
    expect(storyOf(text)).toEqual(['incomplete', 'head']);
    expect(parse(`${text}GET /next`)).toEqual(parse(text));
    const behind = parse(`before${text}`, 6);
    expect(behind).toEqual({ ...parse(text), end: text.length + 6 });
  });
});

describe('odd heads are for the node lane, as soon as they are seen to be', () => {
  test.for([
    ['an empty line before the request', `\r\n${start}${host}\r\n`],
    ['a bare LF before the request', `\n${start}${host}\r\n`],
    ['HTTP/1.0', `GET / HTTP/1.0\r\n${host}\r\n`],
    ['HTTP/1.2', `GET / HTTP/1.2\r\n${host}\r\n`],
    ['HTTP/2.0', `GET / HTTP/2.0\r\n${host}\r\n`],
    ['a version in lower case', `GET / http/1.1\r\n${host}\r\n`],
    ['HTTP/0.9', 'GET / \r\n'],
    ['a space behind the version', `GET / HTTP/1.1 \r\n${host}\r\n`],
    ['a bare LF behind the version', `GET / HTTP/1.1\n${host}\r\n`],
    ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a method in lower case', `get / HTTP/1.1\r\n${host}\r\n`],
    ['TRACE', `TRACE / HTTP/1.1\r\n${host}\r\n`],
    ['CONNECT', `CONNECT a:443 HTTP/1.1\r\n${host}\r\n`],
    ['a method of WebDAV', `PROPFIND / HTTP/1.1\r\n${host}\r\n`],
    ['a method without end', 'G'.repeat(100)],
    ['absolute form', `GET http://a/ HTTP/1.1\r\n${host}\r\n`],
    ['asterisk form', `OPTIONS * HTTP/1.1\r\n${host}\r\n`],
    ['two spaces before the target', `GET  / HTTP/1.1\r\n${host}\r\n`],
    ['two spaces behind the target', `GET /  HTTP/1.1\r\n${host}\r\n`],
    ['Upgrade', `${start}${host}Connection: keep-alive\r\nUpgrade: websocket\r\n\r\n`],
    ['a Connection that nominates', `${start}${host}Connection: close, X-User\r\n\r\n`],
    ['two Connection lines', `${start}${host}Connection: close\r\nConnection: close\r\n\r\n`],
    ['Expect', `POST / HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`],
    ['TE', `${start}${host}TE: trailers\r\n\r\n`],
    ['Trailer', `POST / HTTP/1.1\r\n${host}Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['HTTP2-Settings', `${start}${host}HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n`],
  ] as const)('%s', ([, text]) => {
    expect(parse(text).kind).toBe('odd');
    expect(storyOf(text)).toEqual(['incomplete', 'odd']);
  });
});

describe('illegal heads are refused, whatever follows', () => {
  test.for([
    ['no method', ' / HTTP/1.1\r\n'],
    ['TLS on a plain port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a NUL in the method', 'GE\x00T / HTTP/1.1\r\n'],
    ['a tab behind the method', 'GET\t/ HTTP/1.1\r\n'],
    ['a CR within the method', 'GE\rT / HTTP/1.1\r\n'],
    ['a tab in the target', 'GET /\ta HTTP/1.1\r\n'],
    ['a NUL in the target', 'GET /a\x00 HTTP/1.1\r\n'],
    ['a bare CR in the target', 'GET /a\rb HTTP/1.1\r\n'],
    ['a line end in the target', 'GET /a\r\n'],
    ['DEL in the target', 'GET /a\x7f HTTP/1.1\r\n'],
    ['a byte over 0x7f in the target', 'GET /\xe9 HTTP/1.1\r\n'],
    ['a fragment', 'GET /a#b HTTP/1.1\r\n'],
    ['white space before the first field', `${start} ${host}\r\n`],
    ['a folded field (obs-fold)', `${start}${host}X: a\r\n b\r\n\r\n`],
    ['a field folded with a tab', `${start}${host}X: a\r\n\tb\r\n\r\n`],
    ['a space before the colon', `${start}Host : a\r\n\r\n`],
    ['a tab before the colon', `${start}Host\t: a\r\n\r\n`],
    ['no colon', `${start}${host}X\r\n\r\n`],
    ['an empty name', `${start}${host}: a\r\n\r\n`],
    ['a space in a name', `${start}${host}X Y: a\r\n\r\n`],
    ['a quote in a name', `${start}${host}"X": a\r\n\r\n`],
    ['a NUL in a name', `${start}${host}X\x00: a\r\n\r\n`],
    ['a byte over 0x7f in a name', `${start}${host}X\xe9: a\r\n\r\n`],
    ['a bare LF behind a field', `${start}Host: a\n\r\n`],
    ['a bare LF in a value', `${start}${host}X: a\nY: b\r\n\r\n`],
    ['a bare CR in a value', `${start}${host}X: a\rY: b\r\n\r\n`],
    ['two CRs behind a value', `${start}Host: a\r\r\n\r\n`],
    ['a NUL in a value', `${start}${host}X: a\x00b\r\n\r\n`],
    ['a control character in a value', `${start}${host}X: a\x01b\r\n\r\n`],
    ['DEL in a value', `${start}${host}X: a\x7f\r\n\r\n`],
    ['a bare LF as the empty line', `${start}${host}\n`],
    ['a bare CR as the empty line', `${start}${host}\ra`],
    ['no Host', `${start}X: a\r\n\r\n`],
    ['two Hosts', `${start}${host}Host: b\r\n\r\n`],
    ['the same Host twice', `${start}${host}host: a\r\n\r\n`],
    ['an empty Host', `${start}Host:\r\n\r\n`],
    ['a list of Hosts', `${start}Host: a, b\r\n\r\n`],
    ['a Host with a path', `${start}Host: a/b\r\n\r\n`],
    ['a Host with user info', `${start}Host: u@a\r\n\r\n`],
    ['two Content-Lengths', `${start}${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`],
    ['the same Content-Length twice', `${start}${host}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`],
    ['a list of Content-Lengths', `${start}${host}Content-Length: 1, 1\r\n\r\n`],
    ['an empty Content-Length', `${start}${host}Content-Length:\r\n\r\n`],
    ['a Content-Length with a sign', `${start}${host}Content-Length: +1\r\n\r\n`],
    ['a negative Content-Length', `${start}${host}Content-Length: -1\r\n\r\n`],
    ['a hexadecimal Content-Length', `${start}${host}Content-Length: 0x1\r\n\r\n`],
    ['a Content-Length with a leading zero', `${start}${host}Content-Length: 01\r\n\r\n`],
    ['a Content-Length with a fraction', `${start}${host}Content-Length: 1.0\r\n\r\n`],
    ['a Content-Length that no number holds', `${start}${host}Content-Length: 99999999999999999999\r\n\r\n`],
    [
      'Content-Length before Transfer-Encoding',
      `${start}${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    [
      'Transfer-Encoding before Content-Length',
      `${start}${host}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n`,
    ],
    [
      'a Content-Length of 0 beside Transfer-Encoding',
      `${start}${host}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    ['Transfer-Encoding: gzip, chunked', `${start}${host}Transfer-Encoding: gzip, chunked\r\n\r\n`],
    ['Transfer-Encoding: chunked, identity', `${start}${host}Transfer-Encoding: chunked, identity\r\n\r\n`],
    ['Transfer-Encoding: identity', `${start}${host}Transfer-Encoding: identity\r\n\r\n`],
    ['Transfer-Encoding: Chunked', `${start}${host}Transfer-Encoding: Chunked\r\n\r\n`],
    ['Transfer-Encoding: xchunked', `${start}${host}Transfer-Encoding: xchunked\r\n\r\n`],
    ['an empty Transfer-Encoding', `${start}${host}Transfer-Encoding:\r\n\r\n`],
    ['Transfer-Encoding twice', `${start}${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['a vertical tab before chunked', `${start}${host}Transfer-Encoding:\x0bchunked\r\n\r\n`],
  ] as const)('%s', ([, text]) => {
    expect(parse(text)).toMatchObject({ kind: 'illegal', status: 400 });
    expect(storyOf(text)).toEqual(['incomplete', 'illegal']);
    expect(parse(`${text}GET / HTTP/1.1\r\nHost: a\r\n\r\n`).kind).toBe('illegal');
  });
});

describe('limits', () => {
  const headOf = (bytes: number) => {
    const rest = `${start}${host}X: \r\n\r\n`;
    return rest.replace('X: ', `X: ${'a'.repeat(bytes - rest.length)}`);
  };

  test('a head of exactly headerBytes is taken, one byte more is 431', () => {
    expect(parse(headOf(1_000))).toMatchObject({ kind: 'head', end: 1_000 });
    expect(parse(headOf(1_001))).toMatchObject({ kind: 'illegal', status: 431 });
  });

  test('a head that never ends is refused at the limit, and not before', () => {
    const endless = `${start}${host}X: ${'a'.repeat(2_000)}`;
    expect(parse(endless.slice(0, 1_000)).kind).toBe('incomplete');
    expect(parse(endless.slice(0, 1_001))).toMatchObject({ kind: 'illegal', status: 431 });
  });

  test('a body behind the head does not count', () => {
    const head = `POST / HTTP/1.1\r\n${host}Content-Length: 5000\r\n\r\n`;
    expect(parse(head + 'x'.repeat(5_000))).toMatchObject({ kind: 'head', end: head.length });
  });

  test('a target of more than three quarters of headerBytes is 414', () => {
    expect(parse(`GET /${'a'.repeat(749)} HTTP/1.1\r\n${host}\r\n`).kind).toBe('head');
    expect(parse(`GET /${'a'.repeat(750)}`)).toMatchObject({ kind: 'illegal', status: 414 });
  });

  test('headerCount fields are taken, one more is 431', () => {
    const fields = (count: number) => host + 'X: a\r\n'.repeat(count - 1);
    expect(parse(`${start}${fields(10)}\r\n`).kind).toBe('head');
    expect(parse(`${start}${fields(11)}\r\n`)).toMatchObject({ kind: 'illegal', status: 431 });
  });
});
