import { describe, expect, test } from 'vitest';
import { parseCacheLifetimeMs } from '../../src/keys/cache-lifetime.ts';
import { readDiscovery } from '../../src/keys/discovery.ts';
import { displayUrl, isLoopback, parseProviderUrl } from '../../src/keys/provider-url.ts';

describe('a provider’s URL', () => {
  test.each([
    'https://id.example/jwks',
    'https://10.0.0.1/',
    'http://localhost:8080/',
    'http://127.9.9.9/',
    'http://[::1]:1/',
  ])('may be %s', (url) => {
    expect(parseProviderUrl(url, false)).toBeInstanceOf(URL);
  });

  test.each([
    ['http://id.example/', 'plain http'],
    ['http://localhost.example/', 'plain http'],
    ['http://127.0.0.1.example/', 'plain http'],
    // Resolvers may ask the network for it (RFC 6761 section 6.3 says "should not").
    ['http://idp.localhost/', 'plain http'],
    ['http://idp.localhost./', 'plain http'],
    ['http://[::ffff:8.8.8.8]/', 'plain http'],
    ['http://0.0.0.0/', 'plain http'],
    ['ftp://id.example/', 'https://'],
    ['file:///etc/passwd', 'https://'],
    ['data:application/json,{}', 'https://'],
    ['https://user:pass@id.example/', 'credentials'],
    ['https://id.example/#x', 'fragment'],
    ['id.example', 'not a URL'],
    ['', 'not a URL'],
  ])('may not be %s', (url, words) => {
    expect((parseProviderUrl(url, false) as { problem: string }).problem).toContain(words);
  });

  test('may be plain http where insecure was asked for, and still nothing but http', () => {
    expect(parseProviderUrl('http://id.example/', true)).toBeInstanceOf(URL);
    expect(parseProviderUrl('file:///etc/passwd', true)).toHaveProperty('problem');
  });

  test('is shown without its query', () => {
    expect(displayUrl(new URL('https://id.example/jwks?key=s3cr3t'))).toBe('https://id.example/jwks?...');
    expect(displayUrl(new URL('https://id.example/jwks'))).toBe('https://id.example/jwks');
  });

  test('in any spelling of a loopback address is loopback', () => {
    for (const url of [
      'http://127.1/',
      'http://0x7f.1/',
      'http://2130706433/',
      'http://LOCALHOST/',
      'http://localhost./',
    ]) {
      expect(isLoopback(new URL(url)), url).toBe(true);
    }
  });
});

describe('the issuer’s metadata', () => {
  test('may not send us from an issuer elsewhere into this machine', () => {
    const issuer = 'https://id.example';
    for (const jwks_uri of ['http://localhost:9901/', 'https://127.0.0.1/', 'http://[::1]/']) {
      expect(readDiscovery(JSON.stringify({ issuer, jwks_uri }), issuer, false)).toMatchObject({ kind: 'failed' });
    }
    expect(readDiscovery(JSON.stringify({ issuer, jwks_uri: 'https://keys.example/' }), issuer, false)).toBeInstanceOf(
      URL,
    );
  });

  test('that is not JSON is a failure', () => {
    expect(readDiscovery('<html>', 'https://id.example', false)).toMatchObject({ kind: 'failed', code: 'notJson' });
  });
});

describe('a response’s lifetime', () => {
  const nowMs = Date.parse('Sat, 01 Jan 2028 00:00:00 GMT');
  test.each([
    [{}, undefined],
    [{ 'cache-control': 'max-age=60' }, 60_000],
    [{ 'cache-control': 'Public, Max-Age="60"' }, 60_000],
    [{ 'cache-control': 'max-age=60', age: '20' }, 40_000],
    [{ 'cache-control': 'max-age=60', age: '80' }, 0],
    [{ 'cache-control': 'max-age=60', age: 'x' }, 60_000],
    [{ 'cache-control': 'no-cache, max-age=60' }, 0],
    [{ 'cache-control': 'no-store' }, 0],
    [{ 'cache-control': 'max-age=-1' }, undefined],
    [{ 'cache-control': 'max-age=1e9' }, undefined],
    [{ 'cache-control': 's-maxage=60' }, undefined],
    [{ expires: 'Sat, 01 Jan 2028 00:05:00 GMT' }, 300_000],
    [{ expires: 'Sat, 01 Jan 2028 00:05:00 GMT', date: 'Sat, 01 Jan 2028 00:04:00 GMT' }, 60_000],
    [{ expires: '0' }, 0],
    [{ expires: 'Fri, 31 Dec 2027 00:00:00 GMT' }, 0],
    [{ 'cache-control': 'max-age=60', expires: '0' }, 60_000],
  ])('of %j is %j', (headers, lifetimeMs) => {
    expect(parseCacheLifetimeMs(headers, nowMs)).toBe(lifetimeMs);
  });
});
