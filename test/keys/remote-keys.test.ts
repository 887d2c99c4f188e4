import { afterEach, describe, expect, test } from 'vitest';
import type { FetchPolicy } from '../../src/keys/fetch-policy.ts';
import { createKeyRing, type KeyRing } from '../../src/keys/key-ring.ts';
import type { KeySourceEvent } from '../../src/keys/key-source-status.ts';
import { createKeySources, type KeySourceLease, type KeySources } from '../../src/keys/key-sources.ts';
import type { SetAddress } from '../../src/keys/set-fetcher.ts';
import { testCertificates } from '../support/certificates.ts';
import { usualFetchPolicy } from '../support/fetch-policy.ts';
import { type JwksServer, jsonAnswer, jwksServer } from '../support/jwks-server.ts';
import { keyPair } from '../support/key-pairs.ts';
import { manualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';
import { emptyCache, reasonOf } from '../support/verifier.ts';

const cleanUps: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function provider(...args: Parameters<typeof jwksServer>): Promise<JwksServer> {
  const server = await jwksServer(...args);
  cleanUps.push(() => server[Symbol.asyncDispose]());
  return server;
}

/** A registry on a clock that the test moves; every delay without jitter unless asked for. */
function registry(random = 0) {
  const clock = manualClock();
  const events: KeySourceEvent[] = [];
  const sources = createKeySources({ env: {}, clock, random: () => random, onEvent: (event) => events.push(event) });
  cleanUps.push(() => sources.close());
  return { clock, events, sources };
}

function policyOf(more: Partial<FetchPolicy> = {}): FetchPolicy {
  return { ...usualFetchPolicy, timeoutMs: 20_000, ...more };
}

function jwksAt(server: JwksServer): SetAddress {
  return { kind: 'jwks', url: server.url };
}

/** Once no fetch is under way, the next one is scheduled. */
async function settled(lease: KeySourceLease): Promise<void> {
  await until('the fetch is over', () => lease.status().nextFetchMs !== undefined);
}

function hold(sources: KeySources, server: JwksServer, policy = policyOf()) {
  const lease = sources.acquire(jwksAt(server), policy);
  return { lease, ring: ringOver(lease) };
}

const algorithms = new Set(['RS256', 'ES256']);

function ringOver(...leases: KeySourceLease[]): KeyRing {
  return createKeyRing(
    leases.map(({ source }) => source),
    { algorithms, kid: 'auto' },
  );
}

async function look(ring: KeyRing, kid: string): Promise<string> {
  const lookup = await ring.find(kid, 'ES256', 0);
  return lookup.kind;
}

const one = keyPair('ES256', 'one');
const two = keyPair('ES256', 'two');
const three = keyPair('ES256', 'three');

describe('first keys', () => {
  test('are waited for by the requests that need them, in one flight', async () => {
    const server = await provider([one.jwk]);
    const { sources } = registry();
    const { lease, ring } = hold(sources, server);
    expect(lease.status()).toMatchObject({ state: 'waiting', readyOnce: false });
    const kinds = await Promise.all(Array.from({ length: 50 }, () => look(ring, 'one')));
    expect(new Set(kinds)).toEqual(new Set(['found']));
    expect(server.requests).toHaveLength(1);
    expect(lease.status()).toMatchObject({
      state: 'fresh',
      readyOnce: true,
      keys: [{ kid: 'one', algorithms: ['ES256'] }],
      failures: 0,
      fetches: { fetched: 1 },
    });
  });

  test('answer at once when they are there', async () => {
    const server = await provider([one.jwk]);
    const { sources } = registry();
    const { lease, ring } = hold(sources, server);
    await settled(lease);
    expect(ring.find('one', 'ES256', 0)).toMatchObject({ kind: 'found' });
  });

  const failures: [string, JwksServer['answer'], string][] = [
    ['absent', (_request, response) => response.destroy(), 'unreachable'],
    ['failing', (_request, response) => response.writeHead(500).end(), 'badStatus'],
    ['sending garbage', (_request, response) => response.end('<html>'), 'notJson'],
    ['sending something else', jsonAnswer({ error: 'x' }), 'notKeySet'],
    ['sending a list', jsonAnswer([one.jwk]), 'notKeySet'],
    ['sending too much', (_request, response) => response.end('x'.repeat(1024 * 1024 + 1)), 'tooLarge'],
    ['sending too many keys', jsonAnswer({ keys: Array(1001).fill(one.jwk) }), 'notKeySet'],
    ['redirecting', (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end(), 'redirect'],
  ];

  test.each(failures)('that a provider %s can’t give are unavailable, until it can', async (_what, answer, code) => {
    const server = await provider();
    server.answer = answer;
    const { sources, clock, events } = registry();
    const { lease, ring } = hold(sources, server);
    expect(await ring.find('one', 'ES256', 0)).toMatchObject({ kind: 'unavailable', retryAfterS: 1 });
    expect(lease.status()).toMatchObject({ state: 'absent', readyOnce: false, failures: 1, lastError: { code } });
    expect(events).toMatchObject([{ kind: 'fetchFailed', error: { code }, keysLeft: 0 }]);
    server.publish([one.jwk]);
    clock.advance(1000);
    await settled(lease);
    expect(ring.find('one', 'ES256', 0)).toMatchObject({ kind: 'found' });
    expect(events.map(({ kind }) => kind)).toEqual(['fetchFailed', 'recovered', 'keysChanged']);
  });

  test('that take too long are unavailable after the timeout, and nobody waits for the retries', async () => {
    const server = await provider();
    server.answer = () => {};
    const { sources, clock } = registry();
    const { lease, ring } = hold(sources, server, policyOf({ timeoutMs: 50 }));
    expect(await ring.find('one', 'ES256', 0)).toMatchObject({ kind: 'unavailable' });
    clock.advance(1000);
    expect(lease.status().nextFetchMs).toBeUndefined();
    expect(ring.find('one', 'ES256', 0)).toMatchObject({ kind: 'unavailable', retryAfterS: 1 });
    await settled(lease);
  });

  test('of one provider do not depend on another', async () => {
    const server = await provider([one.jwk]);
    const away = await provider();
    away.answer = () => {};
    const { sources } = registry();
    const good = hold(sources, server);
    const bad = hold(sources, away, policyOf({ timeoutMs: 60 }));
    expect(await look(good.ring, 'one')).toBe('found');
    expect(await look(bad.ring, 'one')).toBe('unavailable');
  });
});

describe('retries', () => {
  async function delaysWith(random: number): Promise<number[]> {
    const server = await provider();
    server.answer = (_request, response) => response.writeHead(503).end();
    const { sources, clock } = registry(random);
    const { lease } = hold(sources, server);
    const delays: number[] = [];
    for (let i = 0; i < 8; i++) {
      await settled(lease);
      const delay = (lease.status().nextFetchMs as number) - clock.nowMs();
      delays.push(delay);
      clock.advance(delay);
    }
    await settled(lease);
    expect(server.requests).toHaveLength(9);
    return delays;
  }

  test('back off to one a minute', async () => {
    expect(await delaysWith(0)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  });

  test('are spread by jitter', async () => {
    expect(await delaysWith(0.5)).toEqual([750, 1500, 3000, 6000, 12_000, 24_000, 45_000, 45_000]);
  });
});

describe('the background refresh', () => {
  test.each([
    ['no word of its own', {}, 540_000],
    ['max-age=300', { 'cache-control': 'public, max-age=300' }, 270_000],
    ['max-age=300, of which 100 are gone', { 'cache-control': 'max-age=300', age: '100' }, 180_000],
    ['a day: no longer than the policy', { 'cache-control': 'max-age=86400' }, 540_000],
    ['no-store: no oftener than once a minute', { 'cache-control': 'no-store' }, 54_000],
    ['max-age=15: no oftener than once a minute', { 'cache-control': 'max-age=15' }, 54_000],
  ])('comes before the set’s time is over: %s', async (_what, headers, delay) => {
    const server = await provider();
    server.publish([one.jwk], headers as Record<string, string>);
    const { sources, clock } = registry();
    const { lease, ring } = hold(sources, server);
    await settled(lease);
    expect((lease.status().nextFetchMs as number) - clock.nowMs()).toBe(delay);
    server.publish([two.jwk], headers as Record<string, string>);
    clock.advance(delay);
    expect(ring.find('one', 'ES256', 0)).toMatchObject({ kind: 'found' }); // while the fetch is under way
    await settled(lease);
    expect(await look(ring, 'two')).toBe('found');
  });

  test('revalidates, and an unchanged set stays the same set', async () => {
    const server = await provider();
    server.answer = (request, response) => {
      if (request.headers['if-none-match'] === '"v1"') return response.writeHead(304).end();
      return jsonAnswer({ keys: [one.jwk] }, { etag: '"v1"' })(request, response);
    };
    const { sources, clock, events } = registry();
    const { lease } = hold(sources, server);
    await settled(lease);
    const before = lease.source.current();
    clock.advance(540_000);
    await settled(lease);
    expect(server.requests).toHaveLength(2);
    expect(lease.source.current()).toBe(before);
    expect(lease.status().fetches).toEqual({ fetched: 1, notModified: 1 });
    expect(events).toHaveLength(1);
  });

  test('that brings the same bytes leaves the set alone, ETag or not', async () => {
    const server = await provider([one.jwk]);
    const { sources, clock } = registry();
    const { lease } = hold(sources, server);
    await settled(lease);
    const before = lease.source.current();
    clock.advance(540_000);
    await settled(lease);
    expect(lease.source.current()).toBe(before);
  });
});

describe('a rotation', () => {
  test('keeps the keys that stay, and ends those that are gone: their cached verdicts die at once', async () => {
    const server = await provider([one.jwk, two.jwk]);
    const { sources, clock, events } = registry();
    const { lease, ring } = hold(sources, server);
    await settled(lease);
    const verdicts = emptyCache();
    const verifier = { algorithms, keys: ring, fingerprint: 'f', checks: { clockSkewS: 5 } };
    const [oldToken, keptToken, newToken] = [one, two, three].map((pair) => pair.sign({ sub: 'a' })) as [
      string,
      string,
      string,
    ];
    expect(await reasonOf(oldToken, verifier, verdicts)).toBe('verified');
    expect(await reasonOf(keptToken, verifier, verdicts)).toBe('verified');

    server.publish([two.jwk, three.jwk]);
    clock.advance(540_000);
    await settled(lease);
    expect(await reasonOf(oldToken, verifier, verdicts)).toBe('keyUnknown');
    expect(await reasonOf(newToken, verifier, verdicts)).toBe('verified');
    const { hits } = verdicts.stats();
    expect(await reasonOf(keptToken, verifier, verdicts)).toBe('verified');
    expect(verdicts.stats().hits).toBe(hits + 1);
    expect(events.at(-1)).toMatchObject({ kind: 'keysChanged', added: ['three'], removed: ['one'] });
  });

  test('that changes the key under the same kid ends the old one', async () => {
    const server = await provider([one.jwk]);
    const { sources, clock } = registry();
    const { lease, ring } = hold(sources, server);
    await settled(lease);
    const verifier = { algorithms, keys: ring, fingerprint: 'f', checks: { clockSkewS: 5 } };
    const verdicts = emptyCache();
    const token = one.sign({});
    expect(await reasonOf(token, verifier, verdicts)).toBe('verified');
    server.publish([{ ...two.jwk, kid: 'one' }]);
    clock.advance(540_000);
    await settled(lease);
    expect(await reasonOf(token, verifier, verdicts)).toBe('signatureInvalid');
  });

  test('to an empty set is believed', async () => {
    const server = await provider([one.jwk]);
    const { sources, clock } = registry();
    const { lease, ring } = hold(sources, server);
    await settled(lease);
    server.publish([]);
    clock.advance(540_000);
    await settled(lease);
    expect(await look(ring, 'one')).toBe('unknown');
  });

  test('under load loses no request: the first token with the new kid is waited for, in one fetch', async () => {
    const server = await provider([one.jwk]);
    const { sources } = registry();
    const { lease, ring } = hold(sources, server);
    await settled(lease);
    const verifier = { algorithms, keys: ring, fingerprint: 'f', checks: { clockSkewS: 5 } };
    server.publish([one.jwk, two.jwk]);
    const tokens = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? one : two).sign({ sub: `${i}` }));
    const reasons = await Promise.all(tokens.map((token) => reasonOf(token, verifier)));
    expect(new Set(reasons)).toEqual(new Set(['verified']));
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1]?.headers['cache-control']).toBe('no-cache');
  });
});

describe('a flood of made-up kids', () => {
  test('10,000 in 10 s cause at most 2 fetches, and a rotation in the middle is picked up within the cool-down', async () => {
    const server = await provider([one.jwk]);
    const { sources, clock } = registry();
    const { lease, ring } = hold(sources, server, policyOf({ cooldownMs: 30_000 }));
    await settled(lease);
    const before = server.requests.length;
    let rotatedMs = 0;
    for (let i = 0; i < 10_000; i++) {
      clock.advance(1);
      if (i === 5000) {
        server.publish([one.jwk, two.jwk]);
        rotatedMs = clock.nowMs();
      }
      const lookup = ring.find(`made-up-${i}`, 'ES256', 0);
      if (lookup instanceof Promise) await lookup;
    }
    expect(server.requests.length - before).toBeLessThanOrEqual(2);

    // The flood goes on, and a client with the new key comes back ten times a second.
    while ((await look(ring, 'two')) !== 'found' && clock.nowMs() - rotatedMs <= 30_000) {
      for (let i = 0; i < 100; i++) {
        clock.advance(1);
        const lookup = ring.find(`made-up-${clock.nowMs()}`, 'ES256', 0);
        if (lookup instanceof Promise) await lookup;
      }
      await settled(lease);
    }
    expect(clock.nowMs() - rotatedMs).toBeLessThanOrEqual(30_000);
    expect(server.requests.length - before).toBeLessThanOrEqual(2);
    // All the while the known key never waited.
    expect(ring.find('one', 'ES256', 0)).toMatchObject({ kind: 'found' });
  });

  test('of one tenant leaves another’s rotation alone', async () => {
    const server = await provider([one.jwk]);
    const { sources, clock } = registry();
    const { lease, ring: flooded } = hold(sources, server);
    const { ring: quiet } = hold(sources, server);
    await settled(lease);
    expect(await look(flooded, 'made-up')).toBe('unknown');
    server.publish([one.jwk, two.jwk]);
    for (let i = 0; i < 100; i++) expect(flooded.find(`made-up-${i}`, 'ES256', 0)).toMatchObject({ kind: 'unknown' });
    clock.advance(5_000);
    expect(await look(quiet, 'two')).toBe('found');
  });

  test('during an outage reaches the provider no more often than its retries', async () => {
    const server = await provider([one.jwk]);
    const { sources, clock } = registry();
    const { lease, ring } = hold(sources, server);
    await settled(lease);
    server.answer = (_request, response) => response.writeHead(500).end();
    expect(await look(ring, 'made-up')).toBe('unavailable');
    const before = server.requests.length;
    for (let i = 0; i < 1000; i++) {
      expect(ring.find(`made-up-${i}`, 'ES256', 0)).toMatchObject({ kind: 'unavailable' });
    }
    expect(server.requests).toHaveLength(before);
    expect(ring.find('one', 'ES256', 0)).toMatchObject({ kind: 'found' });
    server.publish([one.jwk, two.jwk]);
    clock.advance(1000);
    await settled(lease);
    expect(await look(ring, 'two')).toBe('found');
  });
});

describe('an outage', () => {
  test('leaves the last good keys in use for maxStale, and not a moment longer', async () => {
    const server = await provider([one.jwk]);
    const { sources, clock, events } = registry();
    const { lease, ring } = hold(sources, server, policyOf({ refreshMs: 600_000, maxStaleMs: 3_600_000 }));
    await settled(lease);
    const startMs = clock.nowMs();
    const verifier = { algorithms, keys: ring, fingerprint: 'f', checks: { clockSkewS: 5 } };
    const verdicts = emptyCache();
    const token = one.sign({});
    expect(await reasonOf(token, verifier, verdicts)).toBe('verified');
    server.answer = (_request, response) => response.end('garbage');
    const jumpTo = async (atMs: number) => {
      while (clock.nowMs() < startMs + atMs) {
        const { nextFetchMs = 0 } = lease.status();
        clock.advance(Math.min(startMs + atMs, Math.max(nextFetchMs, clock.nowMs() + 1)) - clock.nowMs());
        await settled(lease);
      }
    };
    await jumpTo(600_000);
    expect(lease.status()).toMatchObject({ state: 'stale', readyOnce: true, keys: [{ kid: 'one' }] });
    expect(await reasonOf(one.sign({ fresh: true }), verifier, verdicts)).toBe('verified');
    await jumpTo(4_199_999);
    expect(await reasonOf(token, verifier, verdicts)).toBe('verified');
    await jumpTo(4_200_000);
    expect(await reasonOf(token, verifier, verdicts)).toBe('keysUnavailable');
    expect(lease.status()).toMatchObject({ state: 'absent', readyOnce: true, keys: [] });
    expect(events.map(({ kind }) => kind)).toContain('keysDropped');
    server.publish([one.jwk]);
    clock.advance(60_000);
    await settled(lease);
    expect(await reasonOf(token, verifier, verdicts)).toBe('verified');
  });

  test('of a provider that sends an error page keeps the keys and says so', async () => {
    const server = await provider([one.jwk]);
    const { sources, clock, events } = registry();
    const { lease, ring } = hold(sources, server);
    await settled(lease);
    server.answer = (_request, response) => response.writeHead(200).end('<html>maintenance</html>');
    clock.advance(540_000);
    await settled(lease);
    expect(ring.find('one', 'ES256', 0)).toMatchObject({ kind: 'found' });
    expect(events.at(-1)).toMatchObject({ kind: 'fetchFailed', error: { code: 'notJson' }, keysLeft: 1 });
  });
});

describe('one odd key', () => {
  test('is skipped and counted, and spoils no other', async () => {
    const odd = [{ kty: 'EC', crv: 'P-256', kid: 'odd', x: 'AAAA', y: 'AAAA' }, { kty: 'oct', k: 'AAAA' }, 'text'];
    const server = await provider([...odd, one.jwk, { ...two.jwk, use: 'enc' }]);
    const { sources } = registry();
    const { lease, ring } = hold(sources, server);
    expect(await look(ring, 'one')).toBe('found');
    expect(lease.status().skipped).toMatchObject([
      { index: 0, kid: '"odd"', code: 'malformed' },
      { index: 1, code: 'secretKey' },
      { index: 2, code: 'malformed' },
      { index: 4, kid: '"two"', code: 'notForVerifying' },
    ]);
  });

  test('that is a secret never verifies an HMAC token: what anybody can fetch is no secret', async () => {
    const secret = Buffer.alloc(32, 1);
    const server = await provider([{ kty: 'oct', kid: 's', alg: 'HS256', k: secret.toString('base64url') }, one.jwk]);
    const { sources } = registry();
    const { lease } = hold(sources, server);
    const ring = createKeyRing([lease.source], { algorithms: new Set(['HS256', 'ES256']), kid: 'optional' });
    await settled(lease);
    expect(ring.find('s', 'HS256', 0)).toMatchObject({ kind: 'unknown' });
  });
});

describe('a registry', () => {
  test('shares one source among tenants with the same address and policy', async () => {
    const server = await provider([one.jwk]);
    const { sources } = registry();
    const a = sources.acquire(jwksAt(server), policyOf());
    const b = sources.acquire(jwksAt(server), policyOf());
    const c = sources.acquire(jwksAt(server), policyOf({ cooldownMs: 1 }));
    await Promise.all([settled(a), settled(c)]);
    expect(a.id).toBe(b.id);
    expect(a.source).toBe(b.source);
    expect(c.id).not.toBe(a.id);
    expect(sources.statuses()).toHaveLength(2);
    expect(server.requests).toHaveLength(2);
  });

  test('keeps a source over a reload: the new config’s hold comes before the old one’s release', async () => {
    const server = await provider([one.jwk]);
    const { sources, clock } = registry();
    const before = sources.acquire(jwksAt(server), policyOf());
    await settled(before);
    const after = sources.acquire(jwksAt(server), policyOf());
    before.release();
    before.release();
    expect(ringOver(after).find('one', 'ES256', 0)).toMatchObject({ kind: 'found' });
    expect(server.requests).toHaveLength(1);
    expect(sources.statuses()).toHaveLength(1);
    after.release();
    expect(sources.statuses()).toEqual([]);
    expect(clock.pending()).toBe(0);
  });

  test('leaves a closed source’s keys to the requests that began with them', async () => {
    const server = await provider([one.jwk]);
    const { sources } = registry();
    const { lease, ring } = hold(sources, server);
    await settled(lease);
    lease.release();
    expect(ring.find('one', 'ES256', 0)).toMatchObject({ kind: 'found' });
  });

  test('closes without waiting for a provider that hangs', async () => {
    const server = await provider();
    const asked = new Promise<void>((resolve) => {
      server.answer = () => resolve();
    });
    const { sources, clock } = registry();
    const { ring } = hold(sources, server);
    await asked;
    const lookup = ring.find('one', 'ES256', 0);
    sources.close();
    expect(await lookup).toMatchObject({ kind: 'unavailable' });
    expect(clock.pending()).toBe(0);
  });

  test('tells nothing of headers in a source’s id', () => {
    const { sources } = registry();
    const address: SetAddress = { kind: 'jwks', url: 'http://127.0.0.1:1/?key=abc' };
    const { id, status } = sources.acquire(address, policyOf({ headers: { authorization: 'Bearer s3cr3t' } }));
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(status())).not.toMatch(/s3cr3t|abc/);
  });

  test('calls many providers a few at a time, and first those that a request waits for', async () => {
    const server = await provider([one.jwk]);
    let held: (() => void)[] = [];
    server.answer = (request, response) => {
      held.push(() => jsonAnswer({ keys: [one.jwk] })(request, response));
    };
    const { sources } = registry();
    const leases = Array.from({ length: 100 }, (_, i) =>
      sources.acquire({ kind: 'jwks', url: `${server.url}?${i}` }, policyOf()),
    );
    await until('the slots are full', () => server.requests.length === 32);
    const last = ringOver(leases[99] as KeySourceLease);
    const waited = look(last, 'one');
    await until('the urgent one is asked', () => server.requests.length === 33);
    expect(server.requests[32]?.path).toBe('/jwks?99');
    server.answer = jsonAnswer({ keys: [one.jwk] });
    for (const release of held.splice(0)) release();
    held = [];
    expect(await waited).toBe('found');
    await until('all were asked', () => server.requests.length === 100);
    await Promise.all(leases.map(settled));
  });
});

describe('HTTPS with a private CA', () => {
  test('is fetched where the CA is configured', async () => {
    const { ca, server: certificate } = testCertificates();
    const server = await provider([one.jwk], certificate);
    const { sources } = registry();
    expect(await look(hold(sources, server, policyOf({ ca })).ring, 'one')).toBe('found');
    const untrusting = hold(sources, server);
    expect(await look(untrusting.ring, 'one')).toBe('unavailable');
    expect(untrusting.lease.status().lastError).toMatchObject({ code: 'tls' });
  });
});

describe('discovery', () => {
  async function issuerAt(path: string, metadata: (server: JwksServer, issuer: string) => unknown) {
    const server = await provider();
    const issuer = `${server.origin}${path}`;
    server.answer = (request, response) => {
      const isMetadata = request.url?.endsWith('/.well-known/openid-configuration') === true;
      jsonAnswer(isMetadata ? metadata(server, issuer) : { keys: [one.jwk] })(request, response);
    };
    return { server, issuer };
  }

  const honest = (server: JwksServer, issuer: string) => ({ issuer, jwks_uri: server.url });

  test.each([
    ['', '/.well-known/openid-configuration'],
    ['/', '/.well-known/openid-configuration'],
    ['/realms/a', '/realms/a/.well-known/openid-configuration'],
    ['/realms/a/', '/realms/a/.well-known/openid-configuration'],
  ])('of an issuer with path %j', async (path, asked) => {
    const { server, issuer } = await issuerAt(path, honest);
    const { sources } = registry();
    const lease = sources.acquire({ kind: 'discovery', url: issuer }, policyOf());
    expect(await look(ringOver(lease), 'one')).toBe('found');
    expect(server.requests.map((request) => request.path)).toEqual([asked, '/jwks']);
    expect(lease.status()).toMatchObject({ kind: 'discovery', state: 'fresh' });
  });

  test.each([
    [
      'another issuer',
      (server: JwksServer) => ({ issuer: 'https://evil.example', jwks_uri: server.url }),
      'issuerMismatch',
    ],
    [
      'the issuer with a slash more',
      (s: JwksServer, issuer: string) => ({ issuer: `${issuer}/`, jwks_uri: s.url }),
      'issuerMismatch',
    ],
    [
      'the issuer in capitals',
      (s: JwksServer, issuer: string) => ({ issuer: issuer.toUpperCase(), jwks_uri: s.url }),
      'issuerMismatch',
    ],
    ['no issuer', (server: JwksServer) => ({ jwks_uri: server.url }), 'issuerMismatch'],
    ['no jwks_uri', (_: JwksServer, issuer: string) => ({ issuer }), 'notKeySet'],
    [
      'a jwks_uri over plain http',
      (_: JwksServer, issuer: string) => ({ issuer, jwks_uri: 'http://keys.example/' }),
      'notKeySet',
    ],
    [
      'a jwks_uri that is a file',
      (_: JwksServer, issuer: string) => ({ issuer, jwks_uri: 'file:///etc/passwd' }),
      'notKeySet',
    ],
    ['a jwks_uri that is no text', (_: JwksServer, issuer: string) => ({ issuer, jwks_uri: 1 }), 'notKeySet'],
    ['null', () => null, 'issuerMismatch'],
  ])('that names %s gives no keys', async (_what, metadata, code) => {
    const { server, issuer } = await issuerAt('', metadata);
    const { sources } = registry();
    const lease = sources.acquire({ kind: 'discovery', url: issuer }, policyOf());
    expect(await look(ringOver(lease), 'one')).toBe('unavailable');
    expect(lease.status().lastError).toMatchObject({ code });
    expect(server.requests).toHaveLength(1);
  });

  test('sends configured headers to the issuer’s own origin only', async () => {
    const elsewhere = await provider([one.jwk]);
    const { server, issuer } = await issuerAt('', (_server, issuer_) => ({ issuer: issuer_, jwks_uri: elsewhere.url }));
    const { sources } = registry();
    const lease = sources.acquire({ kind: 'discovery', url: issuer }, policyOf({ headers: { 'x-api-key': 's3cr3t' } }));
    expect(await look(ringOver(lease), 'one')).toBe('found');
    expect(server.requests[0]?.headers['x-api-key']).toBe('s3cr3t');
    expect(elsewhere.requests[0]?.headers['x-api-key']).toBeUndefined();
  });

  test('is asked again after a failure: the set may have moved', async () => {
    const moved = await provider([two.jwk]);
    let jwksUri: string | undefined;
    const { server, issuer } = await issuerAt('', (server_, issuer_) => ({
      issuer: issuer_,
      jwks_uri: jwksUri ?? server_.url,
    }));
    const { sources, clock } = registry();
    const lease = sources.acquire({ kind: 'discovery', url: issuer }, policyOf());
    await settled(lease);
    const answer = server.answer;
    server.answer = (request, response) =>
      request.url === '/jwks' ? response.writeHead(404).end() : answer(request, response);
    jwksUri = moved.url;
    clock.advance(540_000);
    await settled(lease);
    expect(lease.status()).toMatchObject({ failures: 1, keys: [{ kid: 'one' }] });
    clock.advance(1000);
    await settled(lease);
    expect(lease.status()).toMatchObject({ failures: 0, keys: [{ kid: 'two' }] });
  });
});
