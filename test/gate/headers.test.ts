import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldName } from '../../src/gate/field-name.ts';
import { type ForwardContext, judgedNames, upstreamHeaders } from '../../src/gate/headers.ts';
import type { Upstream } from '../../src/gate/policy.ts';
import type { RequestHead } from '../../src/gate/request-head.ts';

const upstream: Upstream = {
  key: 'u',
  scheme: 'http',
  host: '127.0.0.1',
  port: 3000,
  socketPath: undefined,
  basePath: '',
  maxConnections: 10,
  tls: undefined,
  hostHeader: 'preserve',
  mediaType: undefined,
};

const context: ForwardContext = {
  reservedNames: new Set(['x-jwt-subject', 'x-jwt-tenant', 'x-user-id']),
  judgedNames: judgedNames(['Authorization', 'X-Account', 'X-App-Token']),
  fromTrustedProxy: false,
  upstream,
  stripped: [],
  identity: ['X-Jwt-Tenant', 'acme', 'X-Jwt-Subject', 'joe'],
};

function head(headers: readonly string[], more: Partial<RequestHead> = {}): RequestHead {
  return {
    id: 'r-1',
    method: 'GET',
    target: '/',
    httpVersion: '1.1',
    headers: ['Host', 'a.example:8080', ...headers],
    scheme: 'http',
    peer: '192.0.2.7',
    ...more,
  };
}

const added = [
  ['X-Forwarded-For', '192.0.2.7'],
  ['X-Forwarded-Proto', 'http'],
  ['X-Forwarded-Host', 'a.example:8080'],
  ['Via', '1.1 jwtgate'],
  ['X-Request-Id', 'r-1'],
  ['X-Jwt-Tenant', 'acme'],
  ['X-Jwt-Subject', 'joe'],
];

function forward(headers: readonly string[], more: Partial<ForwardContext> = {}, of: Partial<RequestHead> = {}) {
  const list = upstreamHeaders(head(headers, of), { ...context, ...more });
  return list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1] as string]] : []));
}

it('the list is the client’s end-to-end headers in order and spelling, then what a proxy adds, then the identity', () => {
  expect(forward(['ACCEPT', '*/*', 'Set-Thing', 'a', 'set-thing', 'b', 'Cookie', 'a=1'])).toEqual([
    ['Host', 'a.example:8080'],
    ['ACCEPT', '*/*'],
    ['Set-Thing', 'a'],
    ['set-thing', 'b'],
    ['Cookie', 'a=1'],
    ...added,
  ]);
});

const kept = (headers: readonly string[], more: Partial<ForwardContext> = {}, of: Partial<RequestHead> = {}) =>
  forward(headers, more, of)
    .slice(1)
    .filter((pair) => !added.some(([name]) => name === pair[0]));

describe('a spoofed identity header never goes on', () => {
  it.each([
    ['as it is', 'X-User-Id'],
    ['in lower case (CVE-2020-14359)', 'x-user-id'],
    ['with underscores (CVE-2025-64484)', 'X_User_Id'],
    ['with one underscore', 'X-User_Id'],
    ['with dots (CVE-2026-33433)', 'X.User.Id'],
    ['with other marks', "X!User'Id"],
    ['with a tilde', 'x~user|id'],
  ])('%s', (_name, name) => {
    expect(kept([name, 'admin', name, 'root'])).toEqual([]);
  });

  it('not in any spelling that folds to a reserved name', () => {
    const mark = fc.constantFrom(..."!#$%&'*+-.^_`|~".split(''));
    const letter = (character: string) => fc.constantFrom(character.toLowerCase(), character.toUpperCase());
    const spelling = fc
      .tuple(...[...'x-user-id'].map((one) => (one === '-' ? mark : letter(one))))
      .map((all) => all.join(''));
    fc.assert(
      fc.property(spelling, (name) => {
        expect(foldName(name)).toBe('x-user-id');
        expect(kept([name, 'admin'])).toEqual([]);
      }),
    );
  });
});

describe('another spelling of a header that a rule reads never goes on', () => {
  it.each(['X_Account', 'x.account', 'X_App_Token', 'Content_Type', 'content.encoding'])('%s', (name) => {
    expect(kept([name, 'other', 'X-Account', 'mine'])).toEqual([['X-Account', 'mine']]);
  });
});

describe('hop-by-hop headers stay on their hop', () => {
  it.each([
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Proxy-Authenticate',
    'Proxy-Authorization',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'HTTP2-Settings',
    'Expect',
    'Content-Length',
    'Content_Length',
    'Transfer_Encoding',
  ])('%s', (name) => {
    expect(kept([name, 'x'])).toEqual([]);
  });

  it('and so do those that Connection names', () => {
    expect(kept(['Connection', 'close, X-Mine , x-yours', 'X-Mine', '1', 'X-Yours', '2', 'X-Ours', '3'])).toEqual([
      ['X-Ours', '3'],
    ]);
  });

  it('but Connection can’t take away what we add (CVE-2024-45410, CVE-2025-48865)', () => {
    const nominated =
      'X-Jwt-Subject, X-Jwt-Tenant, Host, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Via, X-Request-Id';
    expect(forward(['Connection', nominated])).toEqual([['Host', 'a.example:8080'], ...added]);
  });

  it('nor what was judged: the upstream would act on a request without it', () => {
    const judged = ['X-Account', 'mine', 'x-app-token', 't', 'Content-Type', 'application/json'];
    const left = kept(['Connection', 'X-Account, X-App-Token, Content-Type, X-Mine', ...judged, 'X-Mine', '1']);
    expect(left.flat()).toEqual(judged);
  });

  it('TE says trailers where the client takes them, and nothing else', () => {
    expect(kept(['TE', 'gzip;q=0.5, trailers'])).toEqual([['TE', 'trailers']]);
    expect(kept(['TE', 'trailersx'])).toEqual([]);
  });
});

describe('from a peer that is not trusted', () => {
  it.each([
    ['X-Forwarded-For', '10.0.0.1'],
    ['x_forwarded_for', '10.0.0.1'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', 'evil.example'],
    ['X-Forwarded-User', 'admin'],
    ['X-Forwarded-Uri', '/public'],
    ['X-Forwarded-Prefix', '/x'],
    ['Forwarded', 'for=10.0.0.1'],
    ['X-Real-IP', '10.0.0.1'],
    ['True-Client-IP', '10.0.0.1'],
    ['Client-IP', '10.0.0.1'],
    ['Client_Ip', '10.0.0.1'],
    ['CF-Connecting-IP', '10.0.0.1'],
    ['X-Scheme', 'https'],
    ['Front-End-Https', 'on'],
    ['X-Client-Cert', 'MII'],
    ['X-ARR-ClientCert', 'MII'],
    ['X-Request-Id', 'forged'],
  ])('%s is replaced, not believed', (name, value) => {
    expect(forward([name, value])).toEqual([['Host', 'a.example:8080'], ...added]);
  });
});

describe('from a trusted proxy', () => {
  const trusted = { fromTrustedProxy: true };
  it('X-Forwarded-For grows, and proto and host are kept', () => {
    const headers = ['X-Forwarded-For', '1.1.1.1, 2.2.2.2', 'x-forwarded-for', '3.3.3.3', 'X-Forwarded-Proto', 'https'];
    const list = new Map(forward([...headers, 'X-Forwarded-Host', 'www.example'], trusted) as [string, string][]);
    expect(list.get('X-Forwarded-For')).toBe('1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7');
    expect(list.get('X-Forwarded-Proto')).toBe('https');
    expect(list.get('X-Forwarded-Host')).toBe('www.example');
  });

  it('Forwarded grows by an element of RFC 7239', () => {
    expect(kept(['Forwarded', 'for=1.1.1.1'], trusted)).toEqual([
      ['Forwarded', 'for=1.1.1.1, for=192.0.2.7;host="a.example:8080";proto=http'],
    ]);
    expect(kept(['Forwarded', 'for=1.1.1.1'], trusted, { peer: '2001:db8::1' })[0]?.[1]).toContain(
      'for="[2001:db8::1]"',
    );
  });

  it('other spellings are still dropped', () => {
    expect(kept(['X_Forwarded_For', '9.9.9.9', 'X_Real_IP', '9.9.9.9', 'X-Real-IP', '1.1.1.1'], trusted)).toEqual([
      ['X-Real-IP', '1.1.1.1'],
    ]);
  });
});

describe('headers that would change the method or path that was judged, or where the upstream calls, never go on', () => {
  it.each([
    'X-HTTP-Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    'x_http_method_override',
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-Original-Host',
    'X-Envoy-Original-Path',
    'Proxy',
  ])('%s', (name) => {
    expect(kept([name, 'DELETE'])).toEqual([]);
    expect(kept([name, 'DELETE'], { fromTrustedProxy: true })).toEqual([]);
  });
});

describe('a token that stays here', () => {
  it('leaves its header or cookie out', () => {
    const stripped = [
      { kind: 'header', name: 'authorization', scheme: 'bearer' },
      { kind: 'cookie', name: 'session' },
    ] as const;
    const headers = ['Authorization', 'Bearer t', 'Cookie', 'a=1; session=t', 'Cookie', 'session=t', 'X-A', '1'];
    expect(kept(headers, { stripped })).toEqual([
      ['Cookie', 'a=1'],
      ['X-A', '1'],
    ]);
  });
});

describe('Host', () => {
  it.each<[Partial<Upstream>, string]>([
    [{}, 'a.example:8080'],
    [{ hostHeader: 'upstream' }, '127.0.0.1:3000'],
    [{ hostHeader: 'upstream', host: 'api.example', port: 443, scheme: 'https' }, 'api.example'],
    [{ hostHeader: 'upstream', host: '::1' }, '[::1]:3000'],
    [{ hostHeader: 'upstream', socketPath: '/run/app.sock' }, 'localhost'],
  ])('for %j is %s', (more, host) => {
    expect(forward([], { upstream: { ...upstream, ...more } })[0]).toEqual(['Host', host]);
  });

  it('is the upstream’s where an HTTP/1.0 client sends none', () => {
    const list = upstreamHeaders({ ...head([]), headers: [], httpVersion: '1.0' }, context);
    expect(list.slice(0, 2)).toEqual(['Host', '127.0.0.1:3000']);
    expect(list).toContain('1.0 jwtgate');
  });
});

it('whatever a client sends, the identity headers are there once, last, and ours', () => {
  const name = fc.oneof(
    fc.constantFrom(
      'X-Jwt-Subject',
      'x_jwt_subject',
      'Connection',
      'X-Jwt-Tenant',
      'Trailer',
      'Accept',
      'X-Forwarded-For',
    ),
    fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/),
  );
  const value = fc.oneof(
    fc.constantFrom('x-jwt-subject', 'close, X-Jwt-Tenant', 'admin'),
    fc.stringMatching(/^[ -~]{0,20}$/),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), fc.boolean(), (headers, fromTrustedProxy) => {
      const list = forward(headers.flat(), { fromTrustedProxy });
      expect(list.slice(-2)).toEqual(added.slice(-2));
      const folded = list.map(([one]) => foldName(one as string));
      expect(folded.filter((one) => context.reservedNames.has(one))).toEqual(['x-jwt-tenant', 'x-jwt-subject']);
      expect(folded.filter((one) => one === 'host' || one === 'connection' || one === 'transfer-encoding')).toEqual([
        'host',
      ]);
    }),
    { numRuns: 1000 },
  );
});
