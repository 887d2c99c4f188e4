import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeFraming, type RawHead } from '../../src/wire/framing.ts';

const limits = { headerBytes: 16_384, headerCount: 100 };

function judge(head: Partial<RawHead>) {
  return judgeFraming({ method: 'GET', target: '/', httpVersion: '1.1', headers: ['Host', 'a'], ...head }, limits);
}

function statusOf(head: Partial<RawHead>): number | 'clear' {
  const verdict = judge(head);
  return verdict.kind === 'clear' ? 'clear' : verdict.fault.status;
}

test.for([
  'a',
  'A.Example',
  'a.example:80',
  'a_b.example',
  '127.0.0.1:8080',
  '[::1]',
  '[::1]:8080',
  '[2001:db8::7]',
  'a.',
])('Host %s is a host', (host) => expect(statusOf({ headers: ['Host', host] })).toBe('clear'));

test.for([
  '',
  ' ',
  'a b',
  'a,b',
  'a, b',
  'user@a',
  'user:pass@a',
  'a/',
  'a?x',
  'a#x',
  'a\\b',
  'a%41',
  'a:',
  'a:80:80',
  'a:http',
  'a:+80',
  'a:800000',
  ':80',
  '[::1',
  '::1',
  '[::1]x',
  '[::g]',
  '[v1.a]',
  '[]',
  'ä',
  'a\t',
  'http://a',
  'a;b',
  'a"b',
  "a'b",
  'a(b)',
  'a*',
])('Host %j is refused', (host) => expect(statusOf({ headers: ['Host', host] })).toBe(400));

test('exactly one Host in HTTP/1.1, at most one in HTTP/1.0', () => {
  expect(statusOf({ headers: [] })).toBe(400);
  expect(statusOf({ headers: ['Host', 'a', 'host', 'a'] })).toBe(400);
  expect(statusOf({ headers: [], httpVersion: '1.0' })).toBe('clear');
  expect(statusOf({ headers: ['Host', 'a', 'HOST', 'b'], httpVersion: '1.0' })).toBe(400);
});

test.for(['0.9', '1.2', '2.0', '3.0', '', '1', '1.10'])('HTTP version %j is refused', (httpVersion) =>
  expect(statusOf({ httpVersion })).toBe(400),
);

test.for(['/', '/a?b=c&d', '//a', '/%00', '/a|b{c}^`"<>', '/~a;p=1/..', '/?'])('target %j is origin-form', (target) =>
  expect(statusOf({ target })).toBe('clear'),
);

test.for([
  '',
  '*',
  'a',
  'http://a/',
  'HTTP://a',
  'a:443',
  '?a',
  '/a b',
  '/a#b',
  '/#',
  '/ä',
  '/a\tb',
  '/a\0',
  '/a\x7f',
  '/a\r\nX: 1',
  '\\a',
])('target %j is refused', (target) => expect(statusOf({ target })).toBe(400));

test.for(['delete', 'trace', 'Get', 'POsT'])(
  '%s is no method: upstreams that fold letters would obey another than was judged',
  (method) => {
    expect(statusOf({ method })).toBe(400);
  },
);

test('CONNECT and TRACE are not for upstreams', () => {
  expect(statusOf({ method: 'CONNECT', target: 'a:443' })).toBe(501);
  expect(statusOf({ method: 'TRACE' })).toBe(501);
});

test('limits: 414 for the target, 431 for the count and the bytes of the head', () => {
  expect(statusOf({ target: `/${'a'.repeat(12_288)}` })).toBe(414);
  expect(statusOf({ target: `/${'a'.repeat(12_000)}` })).toBe('clear');
  const fields = Array.from({ length: 100 }, (_, i) => [`X-${i}`, '1']).flat();
  expect(statusOf({ headers: ['Host', 'a', ...fields] })).toBe(431);
  expect(statusOf({ headers: ['Host', 'a', ...fields.slice(2)] })).toBe('clear');
  expect(statusOf({ headers: ['Host', 'a', 'X', 'x'.repeat(16_400)] })).toBe(431);
});

function bodyOf(headers: string[], more: Partial<RawHead> = {}) {
  const verdict = judge({ method: 'POST', ...more, headers: ['Host', 'a', ...headers] });
  return verdict.kind === 'clear' ? verdict.body : verdict.fault.status;
}

test('a body is framed by nothing, one plain length, or exactly one "chunked"', () => {
  expect(bodyOf([])).toEqual({ kind: 'none' });
  expect(bodyOf(['Content-Length', '0'])).toEqual({ kind: 'none' });
  expect(bodyOf(['content-LENGTH', '17'])).toEqual({ kind: 'length', bytes: 17 });
  expect(bodyOf(['transfer-ENCODING', 'chunked'])).toEqual({ kind: 'chunked' });
  expect(bodyOf(['Content-Length', '5'], { httpVersion: '1.0' })).toEqual({ kind: 'length', bytes: 5 });
});

test.for([
  '',
  ' 1',
  '1 ',
  '+1',
  '-1',
  '01',
  '00',
  '1,1',
  '1, 1',
  '1;a',
  '0x1',
  '1e3',
  '1.0',
  '１',
  '9999999999999999',
  'a',
])('Content-Length %j is refused', (length) => expect(bodyOf(['Content-Length', length])).toBe(400));

test.for([
  'Chunked',
  'CHUNKED',
  'chunked ',
  ' chunked',
  '\tchunked',
  'chunked,',
  ',chunked',
  'identity',
  'chunked, identity',
  'identity, chunked',
  'chunked, chunked',
  'gzip, chunked',
  'x-chunked',
  'chunked;q=1',
  '"chunked"',
  "'chunked'",
  'chun\x0bked',
  '\x0bchunked',
  'xchunked',
  '',
])('Transfer-Encoding %j is refused', (coding) => expect(bodyOf(['Transfer-Encoding', coding])).toBe(400));

test('two framings are refused, also where they agree', () => {
  expect(bodyOf(['Content-Length', '1', 'Content-Length', '1'])).toBe(400);
  expect(bodyOf(['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'])).toBe(400);
  expect(bodyOf(['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'identity'])).toBe(400);
  expect(bodyOf(['Content-Length', '0', 'Transfer-Encoding', 'chunked'])).toBe(400);
  expect(bodyOf(['Transfer-Encoding', 'chunked'], { httpVersion: '1.0' })).toBe(400);
});

test('header names and values with bytes that no header has are refused', () => {
  for (const value of ['a\rb', 'a\nb', 'a\0b', 'a\x0bb', 'a\x1bb', 'a\x7fb', 'a\r\n b', '→']) {
    expect(statusOf({ headers: ['Host', 'a', 'X', value] })).toBe(400);
  }
  for (const name of ['', 'X ', ' X', 'X:', 'X\t', 'Ä', 'X(', 'X\0', 'X\n']) {
    expect(statusOf({ headers: ['Host', 'a', name, '1'] })).toBe(400);
  }
  expect(statusOf({ headers: ['Host', 'a', "!#$%&'*+-.^_`|~09azAZ", '\t\x80\xff '] })).toBe('clear');
});

test('an expectation other than 100-continue is refused, one without a body or in HTTP/1.0 ignored', () => {
  const expectation = (headers: string[], more: Partial<RawHead> = {}) => {
    const verdict = judge({ method: 'POST', ...more, headers: ['Host', 'a', ...headers] });
    return verdict.kind === 'clear' ? verdict.expectsContinue : verdict.fault.status;
  };
  expect(expectation(['Expect', '100-Continue', 'Content-Length', '1'])).toBe(true);
  expect(expectation(['Expect', '100-continue'])).toBe(false);
  expect(expectation(['Expect', '100-continue', 'Content-Length', '1'], { httpVersion: '1.0' })).toBe(false);
  expect(expectation(['Expect', 'x', 'Content-Length', '1'])).toBe(417);
  expect(expectation(['Expect', '100-continue, x', 'Content-Length', '1'])).toBe(417);
  expect(expectation(['Expect', '100-continue', 'Expect', '100-continue', 'Content-Length', '1'])).toBe(417);
});

test('only a GET for exactly websocket is an upgrade; any other wish is ignored', () => {
  const upgrade = (headers: string[], more: Partial<RawHead> = {}) => {
    const verdict = judge({ ...more, headers: ['Host', 'a', ...headers] });
    return verdict.kind === 'clear' ? verdict.upgrade : verdict.fault.status;
  };
  expect(upgrade(['Connection', 'keep-alive, Upgrade', 'Upgrade', 'WebSocket'])).toBe('websocket');
  expect(upgrade(['Upgrade', 'websocket'])).toBeUndefined();
  expect(upgrade(['Connection', 'Upgrade', 'Upgrade', 'h2c'])).toBeUndefined();
  expect(upgrade(['Connection', 'Upgrade', 'Upgrade', 'websocket, h2c'])).toBeUndefined();
  expect(upgrade(['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Upgrade', 'h2c'])).toBeUndefined();
  expect(upgrade(['Connection', 'Upgrade', 'Upgrade', 'websocket'], { method: 'POST' })).toBeUndefined();
  expect(upgrade(['Connection', 'Upgrade', 'Upgrade', 'websocket'], { httpVersion: '1.0' })).toBeUndefined();
  expect(upgrade(['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Content-Length', '1'])).toBe(400);
  expect(upgrade(['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Transfer-Encoding', 'chunked'])).toBe(400);
});

test('whatever comes: no throw, a known status, and nothing the client sent in the detail', () => {
  const field = fc.tuple(
    fc.oneof(
      fc.constantFrom('Host', 'Content-Length', 'Transfer-Encoding', 'Expect', 'Upgrade', 'Connection'),
      fc.string(),
    ),
    fc.oneof(
      fc.constantFrom('chunked', '0', '1', 'a', 'websocket', 'Upgrade', '100-continue'),
      fc.string({ unit: 'binary' }),
    ),
  );
  const secret = 'zq7';
  fc.assert(
    fc.property(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('1.1', '1.0', '2.0'),
      fc.array(field, { maxLength: 8 }),
      (method, target, httpVersion, fields) => {
        const headers = [...fields.flat(), secret, secret];
        const verdict = judgeFraming({ method, target: `${target}${secret}`, httpVersion, headers }, limits);
        if (verdict.kind === 'clear') return;
        expect([400, 414, 417, 431, 501]).toContain(verdict.fault.status);
        expect(verdict.fault.detail).not.toContain(secret);
      },
    ),
  );
});
