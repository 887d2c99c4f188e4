import { describe, expect, test } from 'vitest';
import { findNearest } from '../../src/config/did-you-mean.ts';
import { parseListenAddress } from '../../src/config/shape/listener.ts';
import { count, duration, flag, size } from '../../src/config/shape/values.ts';
import { compileTrustedProxies } from '../../src/config/trusted-proxies.ts';

describe('a duration', () => {
  test.each([
    ['0s', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['1h30m', 5_400_000],
    ['1m500ms', 60_500],
  ])('%s is %i ms', (text, ms) => {
    expect(duration().parse(text)).toBe(ms);
  });

  test.each(['', '10', '10 s', '-1s', '1.5s', '1d', 's', '10S', '5m!', '1e3s', 10, true, null])(
    '%j is none',
    (value) => {
      expect(duration().safeParse(value).success).toBe(false);
    },
  );

  test('that a timer could not wait for is refused', () => {
    expect(duration().safeParse('597h').success).toBe(false);
  });
});

describe('a size', () => {
  test.each([
    ['0', 0],
    [512, 512],
    ['512', 512],
    ['512B', 512],
    ['16KiB', 16_384],
    ['2MiB', 2_097_152],
    ['1GiB', 1_073_741_824],
  ])('%j is %i bytes', (text, bytes) => {
    expect(size(0, 2 ** 31).parse(text)).toBe(bytes);
  });

  test.each(['16KB', '16k', '16 KiB', '-1', '1.5KiB', '', 1.5, -1, true])('%j is none', (value) => {
    expect(size(0, 2 ** 31).safeParse(value).success).toBe(false);
  });
});

test('numbers and booleans may be text, as ${ENV} makes them', () => {
  expect(count(1, 10).parse('7')).toBe(7);
  expect(count(1, 10).safeParse('11').success).toBe(false);
  expect(count(1, 10).safeParse('0x7').success).toBe(false);
  expect(flag().parse('true')).toBe(true);
  expect(flag().parse('false')).toBe(false);
  expect(flag().safeParse('yes').success).toBe(false);
});

describe('a listen address', () => {
  test.each([
    ['127.0.0.1:8080', { kind: 'tcp', host: '127.0.0.1', port: 8080 }],
    ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    [':8080', { kind: 'tcp', host: '', port: 8080 }],
    ['*:8080', { kind: 'tcp', host: '', port: 8080 }],
    ['[::1]:8080', { kind: 'tcp', host: '::1', port: 8080 }],
    ['unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
  ])('%s', (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
  });

  test.each([
    '8080',
    '127.0.0.1',
    '127.0.0.1:',
    '::1:8080',
    '[1.2.3.4]:80',
    '[::1]',
    'a:65536',
    'http://a:1',
    'unix:x',
    'unix:',
  ])('%s is none', (text) => {
    expect(parseListenAddress(text)).toBeUndefined();
  });
});

describe('trusted proxies', () => {
  const trusts = compileTrustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '2001:db8::1']);

  test.each(['10.1.2.3', '::ffff:10.1.2.3', '::FFFF:10.1.2.3', '192.0.2.7', 'fd12::1', '2001:db8::1'])(
    'include %s',
    (peer) => {
      expect(trusts(peer)).toBe(true);
    },
  );

  test.each(['11.0.0.1', '192.0.2.8', '::ffff:11.0.0.1', '2001:db8::2', '::1', '', 'unix', 'nonsense'])(
    'do not include %j',
    (peer) => {
      expect(trusts(peer)).toBe(false);
    },
  );

  test('are nobody by default, and whoever comes by a unix socket only where named', () => {
    expect(compileTrustedProxies([])('127.0.0.1')).toBe(false);
    expect(compileTrustedProxies([])('')).toBe(false);
    expect(compileTrustedProxies(['unix'])('')).toBe(true);
    expect(compileTrustedProxies(['unix'])('127.0.0.1')).toBe(false);
  });
});

describe('did you mean', () => {
  const keys = ['algorithms', 'audience', 'upstream', 'mode', 'kid', 'url', 'secret'];

  test.each([
    ['algoritms', 'algorithms'],
    ['Algorithms', 'algorithms'],
    ['uptsream', 'upstream'],
    ['modus', 'mode'],
    ['secrte', 'secret'],
    ['urls', 'url'],
  ])('%s: %s', (written, meant) => {
    expect(findNearest(written, keys)).toBe(meant);
  });

  test.each(['alg', 'x', '', 'completely-different', 'port'])('%j: nothing', (written) => {
    expect(findNearest(written, keys)).toBeUndefined();
  });
});
