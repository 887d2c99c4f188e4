import { describe, expect, onTestFinished, test } from 'vitest';
import { createFrontDoor } from '../../src/wire/front-door.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { rawRequest } from '../support/raw-client.ts';
import { secretOf, tokenOf } from '../support/running-gate.ts';
import { localhostTls } from '../support/tls.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { openDoor } from '../wire/lane-rig.ts';
import { gateOf } from '../wire/verify/verify-rig.ts';

// An upstream that reads tokens by itself and trusts them, "as the gate has verified them", must never find one that it
// has not: each test sends a forged token where this request's tenant does not look, or does not look this time.

const forged = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"admin"}').toString('base64url')}.`;
const bearer = (tenant: string) => ['Authorization', `Bearer ${tokenOf(tenant)}`] as const;

/** `handed`, `asked`, `baked` and `socketed` share an upstream; `apart` has another. */
const configText = (port: number, otherPort: number) => `
upstream: http://127.0.0.1:${port}
tenants:
  handed:
    match: {path: /handed/**}
    secret: ${secretOf('handed')}
    algorithms: [HS256]
    basic: {user: server, password: ${'p'.repeat(32)}}
    routes:
      - {path: /handed/public/**, access: public}
      - {path: /handed/open/**, access: optional}
  asked: {match: {path: /asked/**}, secret: ${secretOf('asked')}, algorithms: [HS256], token: {query: jwt}}
  baked:
    match: {path: /baked/**}
    secret: ${secretOf('baked')}
    algorithms: [HS256]
    token: [{cookie: session}, {header: X-Token}]
    upstream: http://127.0.0.1:${port}/base
  socketed:
    match: {path: /socketed/**}
    secret: ${secretOf('socketed')}
    algorithms: [HS256]
    token: [{header: Authorization, scheme: Bearer}, {websocketProtocol: "bearer."}]
    basic: {user: server, password: ${'p'.repeat(32)}}
    routes:
      - {path: /socketed/public/**, access: public}
      - {path: /socketed/open/**, access: optional}
  kept:
    match: {path: /kept/**}
    secret: ${secretOf('kept')}
    algorithms: [HS256]
    token: {websocketProtocol: "bearer."}
    forwardToken: keep
  apart:
    match: {path: /apart/**}
    secret: ${secretOf('apart')}
    algorithms: [HS256]
    upstream: http://127.0.0.1:${otherPort}
`;

interface Ask {
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

interface Seen {
  readonly status: number;
  /** All that reached an upstream, line by line. */
  readonly upstream: string;
}

type Way = 'the fast lane' | 'the node lane' | 'HTTP/2';

async function startRig(way: Way): Promise<(ask: Ask) => Promise<Seen>> {
  const [upstream, other] = [await startRawUpstream(), await startRawUpstream()];
  onTestFinished(() => Promise.all([upstream.close(), other.close()]).then(() => undefined));
  const { gate } = await gateOf(configText(upstream.port, other.port));
  const seen = () => upstream.received + other.received;
  if (way !== 'HTTP/2') {
    const { port } = await openDoor(gate, way === 'the node lane' ? 'node' : 'auto');
    return async ({ target, headers }) => {
      const before = seen().length;
      const fields = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const { status } = await rawRequest({ port }, `GET ${target} HTTP/1.1\r\nHost: gate.example\r\n${fields}\r\n`);
      return { status, upstream: seen().slice(before) };
    };
  }
  const door = await createFrontDoor({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    gate: () => gate,
    tls: localhostTls({ http2: { maxStreams: 10 } }),
  });
  onTestFinished(() => door.close({ drainMs: 0 }));
  const client = await openHttp2({ port: door.address.kind === 'tcp' ? door.address.port : 0 });
  onTestFinished(client.close);
  return async ({ target, headers }) => {
    const before = seen().length;
    const fields: Record<string, string[]> = {};
    for (const [name, value] of headers) fields[name.toLowerCase()] = [...(fields[name.toLowerCase()] ?? []), value];
    const { status } = await client.get(target, fields);
    return { status, upstream: seen().slice(before) };
  };
}

const basic = ['Authorization', `Basic ${Buffer.from(`server:${'p'.repeat(32)}`).toString('base64')}`] as const;
const offer = (...entries: string[]) => ['Sec-WebSocket-Protocol', entries.join(', ')] as const;

describe.each<Way>(['the fast lane', 'the node lane', 'HTTP/2'])('by %s', (way) => {
  test.for([
    ['beside a verified token', '/socketed/x', [bearer('socketed'), offer('chat.v2', `bearer.${forged}`)]],
    ['on a second line', '/socketed/x', [bearer('socketed'), offer('chat.v2'), offer(`bearer.${forged}`)]],
    ['without a space before it', '/socketed/x', [bearer('socketed'), offer(`chat.v2,bearer.${forged}`)]],
    ['in capitals', '/socketed/x', [bearer('socketed'), offer('chat.v2', `BEARER.${forged}`)]],
    [
      'by a name in capitals',
      '/socketed/x',
      [bearer('socketed'), ['SEC-WEBSOCKET-PROTOCOL', `chat.v2, bearer.${forged}`]],
    ],
    ['on a public route', '/socketed/public/x', [offer('chat.v2', `bearer.${forged}`)]],
    ['on a route that needs no token', '/socketed/open/x', [offer('chat.v2', `bearer.${forged}`)]],
    ['beside Basic', '/socketed/x', [basic, offer('chat.v2', `bearer.${forged}`)]],
    ["on another tenant's route", '/handed/x', [bearer('handed'), offer('chat.v2', `bearer.${forged}`)]],
    ["on another tenant's public route", '/handed/public/x', [offer('chat.v2', `bearer.${forged}`)]],
  ] as const)(
    'a token in Sec-WebSocket-Protocol of no handshake, %s, does not travel on; other entries do',
    async ([, target, headers]) => {
      const ask = await startRig(way);
      const { status, upstream } = await ask({ target, headers });
      expect(status).toBe(200);
      expect(upstream).not.toContain(forged);
      expect(upstream).toMatch(/sec-websocket-protocol: chat\.v2\r\n/i);
    },
  );

  test('a token in Sec-WebSocket-Protocol of no handshake lets nobody in', async () => {
    const ask = await startRig(way);
    const headers = [offer('chat.v2', `bearer.${tokenOf('socketed')}`)];
    expect(await ask({ target: '/socketed/x', headers })).toEqual({ status: 401, upstream: '' });
    expect((await ask({ target: '/kept/x', headers: [offer(`bearer.${tokenOf('kept')}`)] })).status).toBe(401);
  });

  test.for([
    ['in the query', '/handed/x?a=1&jwt=TOKEN&b=2', [bearer('handed')]],
    ['in the query, by another spelling', '/handed/x?a=1&JWT=TOKEN&b=2', [bearer('handed')]],
    ['in the query, by an encoded name', '/handed/x?a=1&%6awt=TOKEN&b=2', [bearer('handed')]],
    ['in the query, behind a semicolon', '/handed/x?a=1;jwt=TOKEN&b=2', [bearer('handed')]],
    ['in the query, behind an opaque one', '/handed/x?a=1&jwt=opaque&jwt=TOKEN&b=2', [bearer('handed')]],
    ['in the query, on a public route', '/handed/public/x?a=1&jwt=TOKEN&b=2', []],
    ['in the query, beside Basic', '/handed/x?a=1&jwt=TOKEN&b=2', [basic]],
    ['in the query, where none is needed', '/handed/open/x?a=1&jwt=TOKEN&b=2', []],
    ['in a cookie', '/handed/x?a=1&b=2', [bearer('handed'), ['Cookie', 'theme=dark; session=TOKEN']]],
    ['in a quoted cookie', '/handed/x?a=1&b=2', [bearer('handed'), ['Cookie', 'theme=dark; session="TOKEN"']]],
    [
      'in a cookie with encoded dots',
      '/handed/x?a=1&b=2',
      [bearer('handed'), ['Cookie', `theme=dark; session=${forged.replaceAll('.', '%2E')}`]],
    ],
    [
      'in the second of two cookies',
      '/handed/x?a=1&b=2',
      [bearer('handed'), ['Cookie', 'session=opaque; theme=dark; session=TOKEN']],
    ],
    ['in a header', '/handed/x?a=1&b=2', [bearer('handed'), ['X-Token', 'TOKEN']]],
    ['in a header behind a scheme', '/handed/x?a=1&b=2', [bearer('handed'), ['X-Token', 'Bearer TOKEN']]],
    ['in two headers', '/handed/x?a=1&b=2', [bearer('handed'), ['X-Token', 'opaque'], ['X-Token', 'TOKEN']]],
    ['in another spelling of a header', '/handed/x?a=1&b=2', [bearer('handed'), ['X_Token', 'TOKEN']]],
    [
      'in Authorization',
      '/baked/x?a=1&b=2',
      [
        ['Cookie', `session=${tokenOf('baked')}`],
        ['Authorization', 'Bearer TOKEN'],
      ],
    ],
    ['beside a good one of the query', '/asked/x?a=1&b=2&jwt=GOOD', [['Authorization', 'bearer TOKEN']]],
  ] as const)(
    'a token %s, where another tenant of the upstream has its own, does not travel on',
    async ([, target, headers]) => {
      const ask = await startRig(way);
      const { status, upstream } = await ask({
        target: target.replace('TOKEN', forged).replace('GOOD', tokenOf('asked')),
        headers: headers.map(([name, value]) => [name, value.replace('TOKEN', forged)] as const),
      });
      expect(status).toBe(200);
      for (const text of [forged, forged.replaceAll('.', '%2E')]) expect(upstream).not.toContain(text);
      expect(upstream).toMatch(/^GET \/\S+\?a=1&b=2 HTTP/);
      if (headers.some(([name, value]) => name === 'Cookie' && value.includes('theme'))) {
        expect(upstream).toMatch(/cookie: theme=dark\r\n/i);
      }
    },
  );

  test('what cannot be a token goes on under the same names, and so does all of it to another upstream', async () => {
    const ask = await startRig(way);
    const own = await ask({
      target: '/handed/x?jwt=reset-1',
      headers: [bearer('handed'), ['Cookie', 'session=4711'], ['X-Token', 'opaque']],
    });
    expect(own.upstream).toContain('?jwt=reset-1 ');
    expect(own.upstream).toMatch(/cookie: session=4711\r\n/i);
    expect(own.upstream).toMatch(/x-token: opaque\r\n/i);
    const basicToBaked = await ask({
      target: '/baked/x',
      headers: [['Cookie', `session=${tokenOf('baked')}`], basic],
    });
    expect(basicToBaked.upstream).toContain(basic[1]);
    const apart = await ask({ target: `/apart/x?jwt=${forged}`, headers: [bearer('apart'), ['X-Token', forged]] });
    expect(apart.upstream.split(forged)).toHaveLength(3);
  });
});

describe.each<'the fast lane' | 'the node lane'>(['the fast lane', 'the node lane'])('by %s', (way) => {
  test.for(['websocket, x', 'x, websocket', 'WebSocket/13', 'h2c'])(
    'a token in Sec-WebSocket-Protocol does not travel on with Upgrade: %s',
    async (upgrade) => {
      const ask = await startRig(way);
      const headers = [['Connection', 'Upgrade'], ['Upgrade', upgrade], bearer('socketed')] as const;
      const { upstream } = await ask({
        target: '/socketed/x',
        headers: [...headers, offer('chat.v2', `bearer.${forged}`)],
      });
      expect(upstream).not.toContain(forged);
    },
  );

  test('a second offer in other letters is refused in a handshake, where the first is kept', async () => {
    const ask = await startRig(way);
    const handshake = [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
      ['Sec-WebSocket-Version', '13'],
    ] as const;
    const offered = offer(`bearer.${tokenOf('kept')}`, `Bearer.${forged}`);
    expect(await ask({ target: '/kept/x', headers: [...handshake, offered] })).toEqual({ status: 400, upstream: '' });
  });

  test('a token in a trailer does not travel on under a name that some tenant reads tokens from', async () => {
    const ask = await startRig(way);
    const [name, value] = bearer('handed');
    // The head ends early: what the rig adds behind it is the body's last line.
    const { status, upstream } = await ask({
      target: '/handed/x',
      headers: [
        [name, value],
        ['Transfer-Encoding', 'chunked'],
        ['Trailer', `X-Token, X-Note\r\n\r\n2\r\nhi\r\n0\r\nX-Token: ${forged}\r\nx_token: ${forged}\r\nX-Note: 1`],
      ],
    });
    expect(status).toBe(200);
    expect(upstream).toContain('X-Note: 1');
    expect(upstream.toLowerCase()).not.toContain('token: ');
    expect(upstream).not.toContain(forged);
  });
});

test.for(['the fast lane', 'the node lane'] as const)(
  'a token behind a semicolon of the query does not travel on from a public route, by %s',
  async (way) => {
    const ask = await startRig(way);
    const { upstream } = await ask({ target: `/handed/public/x?a=1;jwt=${forged};b=2`, headers: [] });
    expect(upstream).toMatch(/^GET \/handed\/public\/x\?a=1;b=2 /);
  },
);
