import { jwtVerify } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import {
  createGrant,
  findReservedParams,
  type Grant,
  type GrantSpec,
  parseTokenEndpoint,
} from '../../src/sign/grant.ts';
import type { SigningValues } from '../../src/sign/json-template.ts';
import { testCertificates } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { partsOf, signerOf, signingKey, signingValues } from '../support/signing.ts';
import {
  granting,
  json,
  startTokenEndpoint,
  type TestTokenEndpoint,
  type TokenAnswer,
} from '../support/token-endpoint.ts';

const t0 = 1_700_000_000_000;
const secret = Buffer.alloc(64, 1);
const key = await signingKey({ algorithm: 'HS256' });
const payload = { iss: 'us', sub: '${claims.sub}', aud: 'https://vendor.example/token', jti: 'uuid' };

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

interface Scene {
  readonly grant: Grant;
  readonly endpoint: TestTokenEndpoint;
  nowMs: number;
}

async function scene(answer: TokenAnswer, spec: Partial<GrantSpec> = {}): Promise<Scene> {
  const endpoint = await startTokenEndpoint(answer);
  open.push(endpoint);
  return grantAt(endpoint, spec);
}

function grantAt(endpoint: TestTokenEndpoint, spec: Partial<GrantSpec> = {}): Scene {
  const grant = createGrant(
    { tokenEndpoint: endpoint.url, signer: signerOf({ key, payload }), timeoutMs: 30_000, ...spec },
    { now: () => it.nowMs, random: () => 0, env: {} },
  );
  open.push({ [Symbol.asyncDispose]: async () => grant.close() });
  const it: Scene = { grant, endpoint, nowMs: t0 };
  return it;
}

const user = (sub: string): SigningValues => signingValues({ sub });
const u1 = user('u1');

async function tokenOf(grant: Grant, values = u1): Promise<string> {
  const authorization = await grant.authorize(values);
  if (authorization.kind === 'failed') throw new Error(authorization.detail);
  return authorization.accessToken;
}

describe('a request for an access token', () => {
  test('posts the signed assertion as RFC 7523 section 2.1 says', async () => {
    const { grant, endpoint } = await scene(granting(), { scope: 'read write', params: { client_id: 'c 1&x' } });
    await tokenOf(grant);
    const [request] = endpoint.seen;
    expect(request).toMatchObject({ method: 'POST', path: '/token' });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    });
    expect(Object.fromEntries(request?.form ?? [])).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: expect.any(String),
      scope: 'read write',
      client_id: 'c 1&x',
    });
    const assertion = request?.form.get('assertion') as string;
    const verified = await jwtVerify(assertion, secret, {
      currentDate: new Date(t0),
      audience: 'https://vendor.example/token',
    });
    expect(verified.payload).toMatchObject({ iss: 'us', sub: 'u1', exp: t0 / 1000 + 300 });
  });

  test('goes over TLS to whom the given CA vouches for, and to nobody else', async () => {
    const { ca, server } = testCertificates();
    const endpoint = await startTokenEndpoint(granting(), server);
    open.push(endpoint);
    expect(await tokenOf(grantAt(endpoint, { ca }).grant)).toBe('at-1');
    const untrusted = await grantAt(endpoint).grant.authorize(u1);
    expect(untrusted).toMatchObject({ kind: 'failed', detail: expect.stringMatching(/UNABLE_TO|SELF_SIGNED/) });
    expect(endpoint.seen).toHaveLength(1);
  });
});

describe('an access token is used', () => {
  test('until a minute before it expires, and comes at once meanwhile', async () => {
    const it = await scene(granting());
    expect(await tokenOf(it.grant)).toBe('at-1');
    it.nowMs = t0 + 3_540_000 - 1;
    expect(it.grant.authorize(u1)).toMatchObject({ kind: 'granted', accessToken: 'at-1' });
    expect(it.endpoint.seen).toHaveLength(1);
  });

  test('a little longer while the next one is on its way', async () => {
    const it = await scene(granting());
    await tokenOf(it.grant);
    it.nowMs = t0 + 3_540_000;
    expect(it.grant.authorize(u1)).toMatchObject({ accessToken: 'at-1' });
    it.nowMs = t0 + 3_600_000;
    expect(await tokenOf(it.grant)).toBe('at-2');
    expect(it.endpoint.seen).toHaveLength(2);
  });

  test('to its end while no other can be had', async () => {
    const it = await scene(granting());
    await tokenOf(it.grant);
    it.endpoint.answer = json('', 503);
    it.nowMs = t0 + 3_599_999;
    expect(it.grant.authorize(u1)).toMatchObject({ accessToken: 'at-1' });
    it.nowMs = t0 + 3_600_000;
    expect(await it.grant.authorize(u1)).toMatchObject({ kind: 'failed' });
  });

  test.each([
    ['expires_in as text', { expires_in: '100' }, 100_000],
    ['no expires_in', {}, 300_000],
    ['expires_in: null', { expires_in: null }, 300_000],
    ['a year', { expires_in: 31_536_000 }, 86_400_000],
    ['no token_type', { expires_in: 100, token_type: undefined }, 100_000],
    ['token_type in another letter case', { expires_in: 100, token_type: 'bearer' }, 100_000],
  ])('%s: so long', async (_, members, lifetimeMs) => {
    const { grant } = await scene(granting(members));
    expect(await grant.authorize(u1)).toEqual({ kind: 'granted', accessToken: 'at-1', expiresAtMs: t0 + lifetimeMs });
  });
});

test('one request is in flight, however many ask', async () => {
  let release = () => {};
  const grants = granting();
  const { grant, endpoint } = await scene((request, response) => {
    release = () => grants(request, response);
    arrived();
  });
  let arrived = () => {};
  const first = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const all = Array.from({ length: 50 }, () => tokenOf(grant));
  await first;
  release();
  expect(new Set(await Promise.all(all))).toEqual(new Set(['at-1']));
  expect(endpoint.seen).toHaveLength(1);
});

test('each subject has a token of its own', async () => {
  const { grant, endpoint } = await scene((request, response) => {
    const { sub } = partsOf(request.form.get('assertion') as string).payload;
    json({ access_token: `at-of-${sub}`, token_type: 'Bearer', expires_in: 60 })(request, response);
  });
  const tokens = await Promise.all(['u1', 'u2', 'u1'].map((sub) => tokenOf(grant, user(sub))));
  expect(tokens).toEqual(['at-of-u1', 'at-of-u2', 'at-of-u1']);
  expect(endpoint.seen).toHaveLength(2);
});

describe('an answer that is of no use is a failure that says why, and nothing of its content:', () => {
  const secretText = 'eyJhbGciOiJIUzI1NiJ9.SECRET';
  test.each<[string, TokenAnswer, string]>([
    ['500', json({ error: secretText }, 500), 'status 500'],
    [
      '400 with its code',
      json({ error: 'invalid_grant', error_description: secretText }, 400),
      'error "invalid_grant"',
    ],
    ['400 with a code of no such form', json({ error: secretText }, 400), 'status 400'],
    ['401 in HTML', json(`<h1>${secretText}</h1>`, 401), 'status 401'],
    ['a redirect', json('', 302, { location: 'http://127.0.0.1:1/elsewhere' }), 'redirects are not followed'],
    ['200 in HTML', json(`<h1>${secretText}</h1>`), 'no JSON object'],
    ['200 with a list', json([secretText]), 'no JSON object'],
    ['nothing', json(''), 'no JSON object'],
    ['no access_token', json({ token_type: 'Bearer', id_token: secretText }), 'no access_token'],
    ['an access_token that is a number', json({ access_token: 1, token_type: 'Bearer' }), 'no access_token'],
    [
      'attack: a line break in the access_token',
      json({ access_token: `a\r\nX-Admin: 1`, token_type: 'Bearer' }),
      'no access_token',
    ],
    ['an empty access_token', json({ access_token: '', token_type: 'Bearer' }), 'no access_token'],
    ['another token_type', json({ access_token: 'x', token_type: 'DPoP' }), 'not Bearer'],
    ['expires_in: 0', json({ access_token: 'x', token_type: 'Bearer', expires_in: 0 }), 'expires_in'],
    ['expires_in: soon', json({ access_token: 'x', token_type: 'Bearer', expires_in: 'soon' }), 'expires_in'],
    ['expires_in: -1', json({ access_token: 'x', token_type: 'Bearer', expires_in: -1 }), 'expires_in'],
    [
      'attack: an answer without end',
      (_, response) => {
        const more = () => {
          if (!response.destroyed) response.write(' '.repeat(16_384), () => setImmediate(more));
        };
        more();
      },
      'longer than 65536 bytes',
    ],
    [
      'a connection that is cut',
      (_, response) => {
        response.socket?.destroy();
      },
      'ECONNRESET',
    ],
    [
      'a connection that is cut within the answer',
      (_, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('{"access_token":', () => response.socket?.destroy());
      },
      'ECONNRESET|closed before',
    ],
  ])('%s', async (_, answer, detail) => {
    const { grant, endpoint } = await scene(answer);
    const authorization = await grant.authorize(u1);
    expect(authorization).toMatchObject({ kind: 'failed', detail: expect.stringMatching(detail), retryAfterS: 1 });
    expect(JSON.stringify(authorization)).not.toContain('SECRET');
    expect(JSON.stringify(authorization)).not.toContain(endpoint.seen[0]?.form.get('assertion'));
  });

  test('none within the time', async () => {
    const { grant } = await scene(() => {}, { timeoutMs: 50 });
    expect(await grant.authorize(u1)).toMatchObject({
      kind: 'failed',
      detail: expect.stringContaining('within 50 ms'),
    });
  });

  test('attack: an answer that drips for longer than the time', async () => {
    const { grant } = await scene(
      (_, response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write(' '), 10);
        response.on('close', () => clearInterval(timer));
      },
      { timeoutMs: 100 },
    );
    expect(await grant.authorize(u1)).toMatchObject({
      kind: 'failed',
      detail: expect.stringContaining('within 100 ms'),
    });
  });

  test('nobody there', async () => {
    const port = await freePort();
    const endpoint = { url: new URL(`http://127.0.0.1:${port}/`), seen: [] } as unknown as TestTokenEndpoint;
    expect(await grantAt(endpoint).grant.authorize(u1)).toMatchObject({
      detail: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('an assertion that can not be signed is not sent', async () => {
    const signer = signerOf({ key, payload: { exp: '${claims.exp}' } });
    const { grant, endpoint } = await scene(granting(), { signer });
    expect(await grant.authorize(u1)).toMatchObject({ kind: 'failed', retryAfterS: undefined });
    expect(endpoint.seen).toHaveLength(0);
  });
});

describe('after a failure', () => {
  test('nothing is sent for a while, which doubles from one second to one minute', async () => {
    const it = await scene(json('', 503));
    const waits: (number | undefined)[] = [];
    for (let asked = 1; asked <= 8; asked++) {
      const authorization = await it.grant.authorize(u1);
      if (authorization.kind !== 'failed') throw new Error('expected a failure');
      waits.push(authorization.retryAfterS);
      it.nowMs += (authorization.retryAfterS as number) * 1000 - 1;
      expect(await it.grant.authorize(u1)).toMatchObject({ kind: 'failed', retryAfterS: 1 });
      expect(it.endpoint.seen).toHaveLength(asked);
      it.nowMs += 1;
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  });

  test("the endpoint's own Retry-After is obeyed, up to five minutes", async () => {
    const it = await scene(json('', 429, { 'retry-after': '20' }));
    expect(await it.grant.authorize(u1)).toMatchObject({ retryAfterS: 20 });
    it.nowMs += 20_000;
    it.endpoint.answer = json('', 503, { 'retry-after': '999999' });
    expect(await it.grant.authorize(u1)).toMatchObject({ retryAfterS: 300 });
  });

  test('a success begins anew', async () => {
    const it = await scene(json('', 503));
    await it.grant.authorize(u1);
    it.nowMs += 1000;
    it.endpoint.answer = granting({ expires_in: 10 });
    expect(await tokenOf(it.grant)).toBe('at-1');
    it.nowMs += 10_000;
    it.endpoint.answer = json('', 503);
    expect(await it.grant.authorize(u1)).toMatchObject({ retryAfterS: 1 });
  });

  test('attack: one subject whose assertions are refused does not hold up another', async () => {
    const grants = granting();
    const it = await scene((request, response) => {
      const { sub } = partsOf(request.form.get('assertion') as string).payload;
      if (sub === 'bad') json({ error: 'invalid_grant' }, 400)(request, response);
      else grants(request, response);
    });
    expect(await it.grant.authorize(user('bad'))).toMatchObject({ kind: 'failed' });
    expect(await tokenOf(it.grant)).toBe('at-1');
    expect(await it.grant.authorize(user('bad'))).toMatchObject({ kind: 'failed' });
    expect(it.endpoint.seen).toHaveLength(2);
  });

  test('an endpoint that is down is down for all, and many that fail together fail once', async () => {
    const it = await scene(json('', 500));
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => it.grant.authorize(user(`u${i}`))));
    expect(all.every(({ kind }) => kind === 'failed')).toBe(true);
    expect(await it.grant.authorize(user('another'))).toMatchObject({ kind: 'failed', retryAfterS: 1 });
    expect(it.endpoint.seen).toHaveLength(20);
  });
});

describe('when the API answers 401', () => {
  test('the token is renewed once for all who were refused', async () => {
    const it = await scene(granting());
    const token = await tokenOf(it.grant);
    expect([1, 2, 3].map(() => it.grant.invalidate(u1, token))).toEqual([true, true, true]);
    const again = await Promise.all([1, 2, 3].map(() => tokenOf(it.grant)));
    expect(again).toEqual(['at-2', 'at-2', 'at-2']);
    expect(it.grant.invalidate(u1, token)).toBe(true);
    expect(await tokenOf(it.grant)).toBe('at-2');
    expect(it.endpoint.seen).toHaveLength(2);
  });

  test('attack: an API that refuses every token makes us fetch at most one each 30 seconds', async () => {
    const it = await scene(granting());
    for (let i = 0; i < 100; i++) {
      it.grant.invalidate(u1, await tokenOf(it.grant));
      it.nowMs += 1000;
    }
    expect(it.endpoint.seen.length).toBeLessThanOrEqual(6);
    expect(it.grant.invalidate(u1, await tokenOf(it.grant))).toBe(false);
  });

  test('the token of another subject stays', async () => {
    const it = await scene(granting());
    const [first] = [await tokenOf(it.grant), await tokenOf(it.grant, user('u2'))];
    it.grant.invalidate(u1, first as string);
    expect(it.grant.authorize(user('u2'))).toMatchObject({ accessToken: 'at-2' });
  });
});

describe('bounds', () => {
  test('attack: a flood of subjects keeps no more than 64 requests under way', async () => {
    const waiting: (() => void)[] = [];
    const grants = granting();
    let most = () => {};
    const full = new Promise<void>((resolve) => {
      most = resolve;
    });
    const { grant } = await scene((request, response) => {
      waiting.push(() => grants(request, response));
      if (waiting.length === 64) most();
    });
    const warnings: string[] = [];
    const warn = ({ name }: Error) => warnings.push(name);
    process.on('warning', warn);
    const all = Array.from({ length: 200 }, (_, i) => grant.authorize(user(`u${i}`)));
    await full;
    for (const release of waiting) release();
    const kinds = (await Promise.all(all)).map(({ kind }) => kind);
    process.off('warning', warn);
    expect(kinds.filter((kind) => kind === 'granted')).toHaveLength(64);
    expect(warnings).toEqual([]);
  });

  test('closing ends what is under way, and nothing begins after', async () => {
    let arrived = () => {};
    const first = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const { grant, endpoint } = await scene(() => arrived());
    const waiting = grant.authorize(u1);
    await first;
    grant.close();
    expect(await waiting).toMatchObject({ kind: 'failed' });
    expect(await grant.authorize(user('u2'))).toMatchObject({ kind: 'failed', detail: 'shutting down' });
    expect(endpoint.seen).toHaveLength(1);
  });
});

describe('the address of a token endpoint', () => {
  test.each(['https://vendor.example/token', 'http://127.0.0.1:8080/t', 'http://localhost/t', 'http://[::1]/t'])(
    '%s',
    (text) => {
      expect(parseTokenEndpoint(text, false)).toBeInstanceOf(URL);
    },
  );

  test.each([
    'http://vendor.example/t',
    'http://id.localhost/t',
    'ftp://x/',
    'x',
    'https://u:p@vendor.example/',
    'https://vendor.example/#f',
  ])('%s is refused', (text) => {
    const parsed = parseTokenEndpoint(text, false);
    expect(parsed).toHaveProperty('problem');
    expect(JSON.stringify(parsed)).not.toContain('u:p');
  });

  test('plain http beyond loopback passes with insecure: true', () => {
    expect(parseTokenEndpoint('http://vendor.example/t', true)).toBeInstanceOf(URL);
  });

  test('no parameter takes the place of one that the grant sets', () => {
    expect(findReservedParams({ client_id: 'x', assertion: 'y', grant_type: 'z', scope: 's' })).toEqual([
      'assertion',
      'grant_type',
      'scope',
    ]);
  });
});
