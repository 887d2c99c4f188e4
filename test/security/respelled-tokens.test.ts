import { describe, expect, onTestFinished, test } from 'vitest';
import { createTokenPlaces } from '../../src/gate/token-places.ts';
import { startCpuTime } from '../support/cpu-time.ts';
import { rawRequest } from '../support/raw-client.ts';
import { secretOf, tokenOf } from '../support/running-gate.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { openDoor } from '../wire/lane-rig.ts';
import { gateOf } from '../wire/verify/verify-rig.ts';

// Servers are lenient in different ways: what one of them reads as a place that tokens come from, in whatever spelling
// of its name or of the token, must not bring it a token that nobody judged.

const forged = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"admin"}').toString('base64url')}.AA`;
const withDots = (dot: string) => forged.replaceAll('.', dot);

const configText = (port: number) => `
upstream: http://127.0.0.1:${port}
tenants:
  handed:
    match: {path: /handed/**}
    secret: ${secretOf('handed')}
    algorithms: [HS256]
    routes:
      - {path: /handed/public/**, access: public}
      - {path: /handed/open/**, access: optional}
  mixed:
    match: {path: /mixed/**}
    secret: ${secretOf('mixed')}
    algorithms: [HS256]
    token: [{cookie: access_token}, {header: Authorization, scheme: Bearer}]
  asked: {match: {path: /asked/**}, secret: ${secretOf('asked')}, algorithms: [HS256], token: {query: jwt}}
  baked:
    match: {path: /baked/**}
    secret: ${secretOf('baked')}
    algorithms: [HS256]
    token: {cookie: access_token}
    forwardToken: keep
    routes:
      - {path: /baked/public/**, access: public}
      - {path: /baked/open/**, access: optional}
`;

describe.each<'auto' | 'node'>(['auto', 'node'])('by the lane %s', (lane) => {
  const startRig = async () => {
    const upstream = await startRawUpstream();
    onTestFinished(() => upstream.close());
    const { gate } = await gateOf(configText(upstream.port));
    const { port } = await openDoor(gate, lane);
    return async (target: string, ...fields: string[]) => {
      const head = ['Host: gate.example', ...fields, '', ''].join('\r\n');
      const { status } = await rawRequest({ port }, `GET ${target} HTTP/1.1\r\n${head}`);
      return { status, upstream: upstream.received };
    };
  };

  /** As Python unquotes, as ASP.NET folds and decodes, as PHP and Rack name. */
  const cookies = [
    ['with octal dots in quotes', `access_token="${withDots('\\056')}"`],
    ['with quoted dots', `access_token="${withDots('\\.')}"`],
    ['with dots by %u', `access_token=${withDots('%u002E')}`],
    ['under a name in capitals', `Access_Token=${forged}`],
    ['under a name with a dot', `access.token=${forged}`],
    ['under a name with a space', `access token=${forged}`],
    ['under a name with a bracket', `access[token=${forged}`],
    ['under an escaped name', `%61ccess_token=${forged}`],
    ['under a name escaped by %u', `%u0061ccess_token=${forged}`],
    ['behind white space in another one, where Python ends that', `x=1 access_token=${forged}`],
    ['behind a tab in another one', `x=1\taccess_token=${forged}`],
    ['behind a comma in another one, as RFC 2109 had it', `x=1,access_token=${forged}`],
  ] as const;

  /** To decoders of base64 that leave out what is none, and to those who verify nothing. */
  const halfTokens = [
    ['with characters that lenient decoders of base64 leave out', withDots('!.~')],
    ['without a signature', forged.split('.').slice(0, 2).join('.')],
    ['without a header', forged.replace(/^[^.]*/, '')],
    ['without header and signature', forged.replace(/^[^.]*/, '').replace(/[.]AA$/, '')],
    ['of an escaped payload alone', `%2e%65${forged.split('.')[1]?.slice(1)}`],
    ['of a payload in UTF-16', `.${Buffer.from('\ufeff{"sub":"admin"}', 'utf16le').toString('base64')}`],
  ] as const;

  test.for(halfTokens)('a token %s does not travel on where another tenant has its own', async ([, token]) => {
    const ask = await startRig();
    const good = `Authorization: Bearer ${tokenOf('handed')}`;
    const { upstream: baked } = await ask('/handed/x', good, `Cookie: theme=dark; access_token=${token}`);
    expect(baked).toMatch(/cookie: theme=dark\r\n/i);
    const { status, upstream } = await ask(`/handed/x?jwt=${token}&b=2`, good);
    expect(status).toBe(200);
    expect(upstream).toContain('/handed/x?b=2 ');
  });

  const odd = [
    ['without a scheme', forged],
    ['of another scheme', `JWT ${forged}`],
    ['whose scheme ends at a colon', `Bearer:${forged}`],
    ['whose scheme is not the first word', `X Bearer ${forged}`],
    ['whose scheme is in quotes', `"Bearer" ${forged}`],
    ['whose scheme does not end', `Bearer${forged}`],
  ] as const;

  test.for(odd)('a token %s does not travel on in Authorization, unless it was judged', async ([, value]) => {
    const ask = await startRig();
    const { status, upstream } = await ask('/handed/public/x', `Authorization: ${value}`);
    expect(status).toBe(200);
    expect(upstream).not.toContain(value);
    const { upstream: open } = await ask('/handed/open/x', `Authorization: ${value}`);
    expect(open).not.toContain(value);
    const cookie = `Cookie: access_token=${tokenOf('baked')}`;
    expect((await ask('/baked/x', cookie, `Authorization: ${value}`)).upstream).not.toContain(value);
    expect(
      (await ask('/mixed/x', cookie.replace(/=.*/, `=${tokenOf('mixed')}`), `Authorization: ${value}`)).upstream,
    ).not.toContain(value);
  });

  test.for([
    ['behind a no-break space', `Bearer\xa0${forged}`],
    ['behind a next-line character', `Bearer\x85${forged}`],
    ['whose scheme stands behind a no-break space', `\xa0Bearer ${forged}`],
  ] as const)('a token in Authorization %s, which Python splits at, is refused or stays here', async ([, value]) => {
    const ask = await startRig();
    expect(await ask('/handed/x', `Authorization: ${value}`)).toEqual({ status: 400, upstream: '' });
    expect(await ask('/handed/open/x', `Authorization: ${value}`)).toEqual({ status: 400, upstream: '' });
    const { status, upstream } = await ask('/handed/public/x', `Authorization: ${value}`);
    expect(status).toBe(200);
    expect(upstream).not.toContain(forged);
  });

  test.for([
    'Basic c2VydmVyOnBhc3N3b3Jk',
    'Digest username="a", realm="api.gate.example", uri="/a.b.c/d"',
    'AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0a.1b.2c',
  ])('a credential of another scheme that is no token goes on: %s', async (value) => {
    const ask = await startRig();
    expect((await ask('/handed/open/x', `Authorization: ${value}`)).upstream).toContain(value);
    const cookie = `Cookie: access_token=${tokenOf('mixed')}`;
    expect((await ask('/mixed/x', cookie, `Authorization: ${value}`)).upstream).toContain(value);
  });

  test.for(cookies)("a token in another tenant's cookie %s does not travel on", async ([, pair]) => {
    const ask = await startRig();
    const { status, upstream } = await ask(
      '/handed/x',
      `Authorization: Bearer ${tokenOf('handed')}`,
      `Cookie: theme=dark; ${pair}`,
    );
    expect(status).toBe(200);
    expect(upstream).not.toContain(pair);
    expect(upstream).toMatch(/cookie: theme=dark\r\n/i);
  });

  test.for(cookies)('a token in a cookie %s does not travel on from a public route', async ([, pair]) => {
    const ask = await startRig();
    const { status, upstream } = await ask('/baked/public/x', `Cookie: theme=dark; ${pair}`);
    expect(status).toBe(200);
    expect(upstream).not.toContain(pair);
    expect(upstream).toMatch(/cookie: theme=dark\r\n/i);
  });

  test.for(cookies)('a token in a cookie %s is refused beside a good one, and alone', async ([, pair]) => {
    const ask = await startRig();
    const good = `access_token=${tokenOf('baked')}`;
    for (const line of [`${pair}; ${good}`, `${good}; ${pair}`]) {
      expect(await ask('/baked/x', `Cookie: ${line}`)).toEqual({ status: 400, upstream: '' });
    }
    const { status, upstream } = await ask('/baked/open/x', `Cookie: ${pair}`);
    expect([400, 401]).toContain(status);
    expect(upstream).toBe('');
  });

  test('a cookie that is no token goes on under any such name, beside the good one', async () => {
    const ask = await startRig();
    const line = `Access_Token=4711; access.token=a.b; access_token=${tokenOf('baked')}`;
    expect(await ask('/baked/x', `Cookie: ${line}`)).toMatchObject({ status: 200 });
    const { upstream } = await ask('/baked/x', `Cookie: ${line}`);
    expect(upstream).toContain(`: ${line}\r\n`);
  });

  test.for([
    ['behind a NUL, where PHP ends it', `jwt%00x=${forged}`],
    ['behind a NUL and what is no UTF-8', `jwt%00%ff=${forged}`],
    ['with what is no UTF-8 in brackets', `jwt%5B%FF%5D=${forged}`],
    ['escaped by %u, as ASP.NET reads it', `%u006Awt=${forged}`],
    ['with dots by %u', `jwt=${withDots('%u002e')}`],
    ['behind a second question mark', `?jwt=${forged}`],
    ['with dots that are escaped twice', `jwt=${withDots('%252E')}`],
  ])("a token in another tenant's query parameter, %s, does not travel on", async ([, pair]) => {
    const ask = await startRig();
    const { status, upstream } = await ask(`/handed/x?a=1&${pair}&b=2`, `Authorization: Bearer ${tokenOf('handed')}`);
    expect(status).toBe(200);
    expect(upstream).toMatch(/^GET \/handed\/x\?a=1&b=2 HTTP/);
  });
});

test('a request that names thousands of places costs no more than its length', () => {
  const names = Array.from({ length: 4_000 }, (_, index) => `c${index.toString(36)}`);
  const places = createTokenPlaces(
    names.flatMap((name) => [
      { kind: 'cookie', name } as const,
      { kind: 'query', name } as const,
      { kind: 'websocketProtocol', name: `${name}.` } as const,
    ]),
  );
  const headers = [
    ...['Cookie', names.map((name) => `${name}=a`).join('; ')],
    ...['Sec-WebSocket-Protocol', names.map((name) => `${name}.aa.bb.`).join(',')],
  ];
  const query = names.map((name) => `${name}=a`).join('&');
  const cpuMs = startCpuTime();
  expect(places.holdingTokens({ headers }, query, undefined)).toHaveLength(names.length);
  // Milliseconds where each part is looked at once; seconds where it is once for each name.
  expect(cpuMs()).toBeLessThan(500);
});
