import { describe, expect, test } from 'vitest';
import { announcesBody } from '../../../src/gate/request-head.ts';
import { readHttp2Head } from '../../../src/wire/http2/request-head.ts';

const limits = { headerBytes: 16_384, headerCount: 100 };
type Fields = readonly (readonly [string, string])[];

const pseudo: Fields = [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':path', '/a?b=c'],
  [':authority', 'gate.example'],
];
const read = (fields: Fields, endsHere = true) => readHttp2Head(fields.flat(), endsHere, limits);
const withField = (name: string, value: string) => read([...pseudo, [name, value]]);
const replaced = (name: string, value: string | undefined) =>
  read(
    pseudo.flatMap(([key, old]) => (key !== name ? [[key, old]] : value === undefined ? [] : [[key, value]])) as Fields,
  );

describe('what is clear', () => {
  test('becomes the request of HTTP/1.1 that means the same', () => {
    expect(withField('x-a', '1')).toEqual({
      kind: 'clear',
      method: 'POST',
      target: '/a?b=c',
      headers: ['host', 'gate.example', 'x-a', '1'],
      body: { kind: 'none' },
      expectsContinue: false,
    });
  });

  test('crumbs of a cookie are one field (RFC 9113 section 8.2.3)', () => {
    const crumbs: Fields = [...pseudo, ['cookie', 'a=1'], ['x-a', '1'], ['cookie', 'b=2'], ['cookie', 'c=3; d=4']];
    expect(read(crumbs)).toMatchObject({
      headers: ['host', 'gate.example', 'x-a', '1', 'cookie', 'a=1; b=2; c=3; d=4'],
    });
  });

  test('fields that repeat stay as they came', () => {
    expect(read([...pseudo, ['x-a', '1'], ['x-a', '2']])).toMatchObject({
      headers: ['host', 'gate.example', 'x-a', '1', 'x-a', '2'],
    });
  });

  test('a Host that says what :authority says, or stands in its place', () => {
    expect(withField('host', 'GATE.example')).toMatchObject({ headers: ['host', 'gate.example'] });
    const byHost = read([...pseudo.slice(0, 3), ['host', 'gate.example']]);
    expect(byHost).toMatchObject({ headers: ['host', 'gate.example'] });
  });

  test.for<[string, Fields, boolean, object]>([
    ['no body', [], true, { kind: 'none' }],
    ['a body of any length', [], false, { kind: 'chunked' }],
    ['a body of a known length', [['content-length', '5']], false, { kind: 'length', bytes: 5 }],
    ['an empty body', [['content-length', '0']], false, { kind: 'none' }],
    ['an empty body, and no more', [['content-length', '0']], true, { kind: 'none' }],
  ])('%s', ([, fields, endsHere, body]) => {
    expect(read([...pseudo, ...fields], endsHere)).toMatchObject({ kind: 'clear', body });
  });

  test('a body of any length is announced to the gate as HTTP/1.1 announces it', () => {
    const announced = read([...pseudo], false);
    expect(announced.kind === 'clear' && announcesBody({ headers: announced.headers })).toBe(true);
    const none = read([...pseudo], true);
    expect(none.kind === 'clear' && announcesBody({ headers: none.headers })).toBe(false);
  });

  test('an expectation counts where there is a body', () => {
    const expecting: Fields = [...pseudo, ['expect', '100-continue']];
    expect(read(expecting, false)).toMatchObject({ expectsContinue: true });
    expect(read([...expecting, ['content-length', '5']], false)).toMatchObject({ expectsContinue: true });
    expect(read(expecting, true)).toMatchObject({ expectsContinue: false });
  });

  test('TE: trailers', () => {
    expect(withField('te', 'trailers')).toMatchObject({ kind: 'clear' });
  });
});

describe('what is refused', () => {
  test.for([
    ['connection', 'x'],
    ['connection', 'te'],
    ['keep-alive', 'timeout=1'],
    ['proxy-connection', 'close'],
    ['transfer-encoding', 'chunked'],
    ['upgrade', 'websocket'],
    ['http2-settings', 'AAMAAABkAAQAAP__'],
    ['te', 'gzip'],
    ['te', 'trailers, gzip'],
    ['X-Upper', '1'],
    ['x a', '1'],
    ['x:a', '1'],
    ['', '1'],
    ['x-a', 'b\r\nx-user: admin'],
    ['x-a', 'b\0c'],
    ['x-a', 'b\nc'],
    ['x-a', ' b'],
    ['x-a', 'b\t'],
    [':protocol', 'websocket'],
    [':status', '200'],
    [':path', '/b'],
    [':authority', 'gate.example'],
    [':x', '1'],
    ['host', 'other.example'],
    ['content-length', '5'],
    ['content-length', '-1'],
    ['content-length', '1, 1'],
    ['expect', 'something-else'],
  ] as const)('a field %s: %s', ([name, value]) => {
    expect(withField(name, value)).toMatchObject({ kind: 'fault' });
  });

  test.for<[string, string | undefined]>([
    [':method', undefined],
    [':method', ''],
    [':method', 'CONNECT'],
    [':method', 'GET /x'],
    [':method', 'G\r\nET'],
    [':method', 'TRACE'],
    [':path', undefined],
    [':path', ''],
    [':path', '*'],
    [':path', 'http://gate.example/'],
    [':path', '/a b'],
    [':path', '/a#b'],
    [':path', '/a\r\nx: y'],
    [':path', '/ HTTP/1.1\r\nHost: x\r\n\r\nGET /'],
    [':path', '/é'],
    [':scheme', undefined],
    [':scheme', 'ftp'],
    [':scheme', 'https://evil/?'],
    [':authority', undefined],
    [':authority', 'joe@gate.example'],
    [':authority', 'gate.example/'],
    [':authority', 'a b'],
    [':authority', ''],
  ])('%s as %j', ([name, value]) => {
    expect(replaced(name, value)).toMatchObject({ kind: 'fault' });
  });

  test('a pseudo-header behind a field', () => {
    expect(read([...pseudo.slice(0, 3), ['x-a', '1'], pseudo[3] as [string, string]])).toMatchObject({ kind: 'fault' });
  });

  test('two Hosts, even if they agree', () => {
    const twice: Fields = [...pseudo, ['host', 'gate.example'], ['host', 'gate.example']];
    expect(read(twice)).toMatchObject({ kind: 'fault' });
  });

  test('two lengths', () => {
    const twice: Fields = [...pseudo, ['content-length', '5'], ['content-length', '5']];
    expect(read(twice, false)).toMatchObject({ kind: 'fault', fault: { status: 400 } });
  });

  test('more fields, or a longer head, than the limits say', () => {
    const many = Array.from({ length: 101 }, (_, index): [string, string] => [`x-${index}`, '']);
    expect(read([...pseudo, ...many])).toMatchObject({ fault: { status: 431 } });
    expect(withField('x-a', 'a'.repeat(16_384))).toMatchObject({ fault: { status: 431 } });
    expect(replaced(':path', `/${'a'.repeat(15_000)}`)).toMatchObject({ fault: { status: 414 } });
  });
});
