import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requestHost } from '../../src/gate/host.ts';
import { defaultLocations, type TokenLocation } from '../../src/gate/locate.ts';
import { compilePathPattern, type PathPattern, parseTarget } from '../../src/gate/path.ts';
import {
  alternativeHolds,
  compileRecognition,
  type MatchAlternative,
  type Recognition,
  type TenantMatch,
} from '../../src/gate/recognise.ts';
import { parseToken } from '../../src/gate/token.ts';
import { startCpuTime } from '../support/cpu-time.ts';
import { inOneGo } from '../support/in-one-go.ts';

function path(text: string): PathPattern {
  const compiled = compilePathPattern(text);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled;
}

function tenants(
  byId: Record<string, readonly MatchAlternative[]>,
  locations: readonly TokenLocation[] = defaultLocations,
): TenantMatch[] {
  return Object.entries(byId).map(([id, match]) => ({ id, match, locations }));
}

const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const unsigned = (header: object, claims: object) => `${segment({ alg: 'HS256', ...header })}.${segment(claims)}.AAAA`;

function ask(config: readonly TenantMatch[], target: string, headers: string[] = []): Recognition {
  const parsed = parseTarget(target);
  if (parsed.kind === 'problem') throw new Error(parsed.detail);
  const head = { headers };
  const { segments, query } = parsed;
  return inOneGo(compileRecognition(config)).recognise({ head, segments, query, host: requestHost(head) }, (raw) =>
    parseToken(raw, 8192),
  );
}

const recognised = (tenant: string) => expect.objectContaining({ kind: 'recognised', tenant });

describe('a tenant is recognised', () => {
  it('without any match where it is alone', () => {
    expect(ask(tenants({ only: [] }), '/x')).toEqual(recognised('only'));
  });

  const byHost = tenants({ a: [{ host: 'a.example' }], b: [{ host: 'b.example' }], below: [{ host: '*.c.example' }] });
  it.each([
    ['a.example', 'a'],
    ['A.Example', 'a'],
    ['a.example:8080', 'a'],
    ['a.example.', 'a'],
    ['b.example', 'b'],
    ['x.c.example', 'below'],
    ['x.y.C.example:1', 'below'],
  ])('by host %s', (host, tenant) => {
    expect(ask(byHost, '/', ['Host', host])).toEqual(recognised(tenant));
  });

  it.each([
    'c.example',
    'xc.example',
    'evil.a.example',
    'a.example.evil',
    'a.example@b.example',
    '',
    'a.example, b.example',
  ])('never by host %s', (host) => {
    expect(ask(byHost, '/', ['Host', host])).toEqual({ kind: 'unknown' });
  });

  it('never by one of two Host lines', () => {
    expect(ask(byHost, '/', ['Host', 'a.example', 'Host', 'a.example'])).toEqual({ kind: 'unknown' });
  });

  it('by path, the decoded one', () => {
    const config = tenants({ acme: [{ path: path('/acme/**') }], globex: [{ path: path('/globex/**') }] });
    expect(ask(config, '/acme/x')).toEqual(recognised('acme'));
    expect(ask(config, '/%61cme')).toEqual(recognised('acme'));
    expect(ask(config, '/globex/')).toEqual(recognised('globex'));
    expect(ask(config, '/initech')).toEqual({ kind: 'unknown' });
  });

  it('by header and query, each once', () => {
    const config = tenants({ a: [{ header: { 'X-App': 'a' } }], b: [{ query: { app: 'b' } }] });
    expect(ask(config, '/', ['x-app', 'a'])).toEqual(recognised('a'));
    expect(ask(config, '/?app=b')).toEqual(recognised('b'));
    expect(ask(config, '/', ['x-app', 'a', 'x-app', 'a'])).toEqual({ kind: 'unknown' });
    expect(ask(config, '/?app=b&app=b')).toEqual({ kind: 'unknown' });
  });

  const byToken = tenants({
    kid: [{ kid: '1' }],
    issuer: [{ issuer: 'https://id.example/' }],
    header: [{ tokenHeader: { iss: 'merchant' } }],
    claim: [{ claim: [{ path: ['org', 'id'], value: '7' }] }],
  });
  const bearer = (header: object, claims: object) => ['Authorization', `Bearer ${unsigned(header, claims)}`];
  it.each([
    ['kid', { kid: '1' }, {}],
    ['kid', { kid: 1 }, {}],
    ['issuer', {}, { iss: 'https://id.example/' }],
    ['header', { iss: 'merchant' }, {}],
    ['claim', {}, { org: { id: '7' } }],
    ['claim', {}, { org: { id: 7 } }],
  ])('by %s of its token (%j, %j)', (tenant, header, claims) => {
    expect(ask(byToken, '/', bearer(header, claims))).toEqual(recognised(tenant));
  });

  it('by nothing inherited: a claim path never reaches an object’s machinery', () => {
    const config = tenants({ a: [{ claim: [{ path: ['constructor', 'name'], value: 'Object' }] }], b: [{ kid: 'b' }] });
    expect(ask(config, '/', bearer({}, {}))).toEqual({ kind: 'unknown' });
  });

  it('only by a token in a place that the tenant accepts', () => {
    const config = [
      ...tenants({ a: [{ kid: 'a' }] }, [{ kind: 'query', name: 'jwt' }]),
      ...tenants({ b: [{ kid: 'b' }] }),
    ];
    expect(ask(config, '/', bearer({ kid: 'a' }, {}))).toEqual({ kind: 'unknown' });
    expect(ask(config, `/?jwt=${unsigned({ kid: 'a' }, {})}`)).toEqual(recognised('a'));
  });

  it('only where all of its match holds', () => {
    const config = tenants({
      a: [{ host: 'x.example', path: path('/a/**'), kid: '1' }],
      b: [{ host: 'x.example', path: path('/b/**'), kid: '1' }],
    });
    expect(ask(config, '/a', ['Host', 'x.example', ...bearer({ kid: '1' }, {})])).toEqual(recognised('a'));
    expect(ask(config, '/a', ['Host', 'y.example', ...bearer({ kid: '1' }, {})])).toEqual({ kind: 'unknown' });
    expect(ask(config, '/a', ['Host', 'x.example', ...bearer({ kid: '2' }, {})])).toEqual({ kind: 'unknown' });
  });

  it('by what is not there', () => {
    const config = tenants({
      kid: [{ kid: '1', tokenHeader: { iss: null } }],
      issuer: [{ tokenHeader: { iss: 'm' } }],
      plain: [{ header: { 'x-app': null }, claim: [{ path: ['tid'], value: null }], kid: '2', query: { a: null } }],
      never: [{ kid: '9' }],
    });
    expect(inOneGo(compileRecognition(config)).overlaps).toEqual([]);
    expect(ask(config, '/', bearer({ kid: 1 }, {}))).toEqual(recognised('kid'));
    expect(ask(config, '/', bearer({ kid: 1, iss: 'm' }, {}))).toEqual(recognised('issuer'));
    expect(ask(config, '/', bearer({ kid: 1, iss: '' }, {}))).toEqual({ kind: 'unknown' });
    expect(ask(config, '/', bearer({ kid: 1, iss: null }, {}))).toEqual({ kind: 'unknown' });
    expect(ask(config, '/', bearer({ kid: 2 }, {}))).toEqual(recognised('plain'));
    expect(ask(config, '/?a=', bearer({ kid: 2 }, {}))).toEqual({ kind: 'unknown' });
    expect(ask(config, '/', [...bearer({ kid: 2 }, {}), 'X-App', ''])).toEqual({ kind: 'unknown' });
    expect(ask(config, '/', bearer({ kid: 2 }, { tid: '\0' }))).toEqual({ kind: 'unknown' });
  });

  it('by any of its alternatives', () => {
    const config = tenants({ a: [{ host: 'a.example' }, { path: path('/a/**') }], b: [{ kid: 'b' }] });
    expect(ask(config, '/x', ['Host', 'a.example'])).toEqual(recognised('a'));
    expect(ask(config, '/a/x', ['Host', 'z.example'])).toEqual(recognised('a'));
  });
});

describe('no tenant is guessed', () => {
  const config = tenants({ path: [{ path: path('/acme/**') }], issuer: [{ issuer: 'i' }] });

  it('where two claim the request by different means', () => {
    const headers = ['Authorization', `Bearer ${unsigned({}, { iss: 'i' })}`];
    expect(ask(config, '/acme/x', headers)).toEqual({ kind: 'contested', tenants: ['path', 'issuer'] });
  });

  it('where a token is needed and none is there', () => {
    expect(ask(config, '/x')).toEqual({ kind: 'tokenNeeded' });
  });

  it('where the token can’t be read', () => {
    expect(ask(config, '/x', ['Authorization', 'Bearer no.jwt'])).toMatchObject({ kind: 'tokenUnreadable' });
    expect(ask(config, '/x', ['Authorization', 'Bearer a, Bearer b'])).toMatchObject({ kind: 'tokenUnreadable' });
  });

  it('where two tokens name two tenants', () => {
    const two = tenants({ a: [{ kid: 'a' }], b: [{ kid: 'b' }] }, [
      ...defaultLocations,
      { kind: 'query', name: 'jwt' },
    ]);
    const headers = ['Authorization', `Bearer ${unsigned({ kid: 'a' }, {})}`];
    expect(ask(two, `/?jwt=${unsigned({ kid: 'b' }, {})}`, headers)).toMatchObject({ kind: 'contested' });
  });

  it('by a NUL that would shift one field’s value into the next', () => {
    const shifty = tenants({ a: [{ query: { x: 'a', y: 'b' } }], b: [{ host: 'b.example' }] });
    expect(ask(shifty, '/?x=a%00b&y=')).toEqual({ kind: 'unknown' });
    expect(ask(shifty, '/?x=a&y=b')).toEqual(recognised('a'));
  });
});

describe('overlaps are found at load', () => {
  const overlapsOf = (byId: Record<string, readonly MatchAlternative[]>) => {
    const { overlaps, contests } = inOneGo(compileRecognition(tenants(byId)));
    return { overlaps: overlaps.map(({ tenants: pair }) => [...pair].sort().join('+')), contests: contests.length };
  };

  it.each<[string, MatchAlternative, MatchAlternative]>([
    ['the same host', { host: 'a.example' }, { host: 'a.example' }],
    ['a host and its wildcard', { host: 'a.b.example' }, { host: '*.b.example' }],
    ['a wildcard below another', { host: '*.a.b.example' }, { host: '*.b.example' }],
    ['the same path', { path: path('/a/**') }, { path: path('/a/**') }],
    ['a path below another', { path: path('/a/b/**') }, { path: path('/a/**') }],
    ['crossing variables', { path: path('/a/{x}') }, { path: path('/{y}/b') }],
    ['an exact path below a tree', { path: path('/a/b') }, { path: path('/a/**') }],
    ['a host, and the same with a kid', { host: 'a.example' }, { host: 'a.example', kid: 'k' }],
    ['the same kid', { kid: 'k' }, { kid: 'k' }],
    ['no match at all, and one', {}, { kid: 'k' }],
    [
      'host and path within host and path',
      { host: 'a.example', path: path('/x/**') },
      { host: '*.example', path: path('/x/y') },
    ],
  ])('%s', (_name, one, other) => {
    expect(overlapsOf({ one: [one], other: [other] }).overlaps).toEqual(['one+other']);
    expect(overlapsOf({ other: [other], one: [one] }).overlaps).toEqual(['one+other']);
  });

  it.each<[string, MatchAlternative, MatchAlternative]>([
    ['two hosts', { host: 'a.example' }, { host: 'b.example' }],
    ['a host and the wildcard below it', { host: 'b.example' }, { host: '*.b.example' }],
    ['two paths', { path: path('/a/**') }, { path: path('/b/**') }],
    ['two exact paths of different length', { path: path('/a/{x}') }, { path: path('/a/{x}/{y}') }],
    ['one host with two kids', { host: 'a.example', kid: '1' }, { host: 'a.example', kid: '2' }],
    ['a value and its absence', { tokenHeader: { iss: 'm' } }, { kid: '1', tokenHeader: { iss: null } }],
    ['two hosts with one path', { host: 'a.example', path: path('/x') }, { host: 'b.example', path: path('/x') }],
  ])('not %s', (_name, one, other) => {
    expect(overlapsOf({ one: [one], other: [other] })).toEqual({ overlaps: [], contests: 0 });
  });

  it('not between alternatives of one tenant', () => {
    expect(overlapsOf({ a: [{ host: 'a' }, { host: 'a' }], b: [{ host: 'b' }] }).overlaps).toEqual([]);
  });

  it('not where each looks at something else: that is a contest, said once for each pair of shapes', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`t${i}`, [{ path: path(`/t${i}/**`) }]]));
    expect(overlapsOf({ ...many, other: [{ issuer: 'i' }] })).toEqual({ overlaps: [], contests: 1 });
  });

  it('in tens of thousands of tenants, in less than quadratic time', () => {
    const many = Array.from({ length: 30_000 }, (_, i): [string, MatchAlternative[]] => [`t${i}`, [{ kid: `${i}` }]]);
    const clash = { ...Object.fromEntries(many), late: [{ kid: '17' }], host: [{ host: 'a' }] };
    const cpuMs = startCpuTime();
    expect(overlapsOf(clash).overlaps).toEqual(['late+t17']);
    expect(cpuMs()).toBeLessThan(5000);
  });
});

it('any request that two tenants could both have is an overlap or a contest known at load', () => {
  const hosts = ['a.example', 'b.a.example', '*.example', '*.a.example'];
  const paths = ['/a', '/a/**', '/{x}', '/a/b', '/**', '/{x}/b/**'];
  const alternative = fc
    .record({
      host: fc.option(fc.constantFrom(...hosts), { nil: undefined }),
      path: fc.option(fc.constantFrom(...paths).map(path), { nil: undefined }),
      header: fc.option(fc.constantFrom({ 'x-a': '1' }, { 'x-a': '2' }, { 'x-a': '1', 'x-b': '1' }), {
        nil: undefined,
      }),
    })
    .filter((one) => one.host !== undefined || one.path !== undefined || one.header !== undefined);
  const request = fc.record({
    host: fc.constantFrom('a.example', 'b.a.example', 'c.b.a.example', 'example'),
    target: fc.constantFrom('/a', '/b', '/a/b', '/c/b', '/c/b/d', '/a/c', '/'),
    headers: fc.constantFrom([], ['X-A', '1'], ['X-A', '2'], ['X-A', '1', 'X-B', '1']),
  });
  fc.assert(
    fc.property(
      alternative,
      alternative,
      fc.array(request, { minLength: 5, maxLength: 20 }),
      (one, other, requests) => {
        const config = tenants({ one: [one], other: [other] });
        const alone = (id: string, match: MatchAlternative, r: (typeof requests)[number]) =>
          ask(tenants({ [id]: [match], never: [{ host: 'never.invalid' }] }), r.target, ['Host', r.host, ...r.headers])
            .kind === 'recognised';
        const shared = requests.filter((r) => alone('one', one, r) && alone('other', other, r));
        if (shared.length === 0) return;
        const { overlaps, contests } = inOneGo(compileRecognition(config));
        expect(overlaps.length + contests.length).toBeGreaterThan(0);
        for (const r of shared) {
          const headers = ['Host', r.host, ...r.headers];
          if (overlaps.length === 0) expect(ask(config, r.target, headers).kind).toBe('contested');
        }
      },
    ),
    { numRuns: 500 },
  );
});

describe('what chose the tenant must hold on the verified token', () => {
  const verified = { header: { iss: 'm' }, claims: { iss: 'i', org: { id: 7 } }, kid: 'k' };
  it.each<[boolean, MatchAlternative | undefined]>([
    [true, undefined],
    [true, { kid: 'k', issuer: 'i', tokenHeader: { iss: 'm' }, claim: [{ path: ['org', 'id'], value: '7' }] }],
    [false, { kid: 'other' }],
    [false, { issuer: 'other' }],
    [false, { tokenHeader: { iss: 'i' } }],
    [false, { claim: [{ path: ['org', 'id'], value: '8' }] }],
    [false, { claim: [{ path: ['toString'], value: 'x' }] }],
    [true, { claim: [{ path: ['toString'], value: null }], tokenHeader: { kid: null } }],
    [false, { tokenHeader: { iss: null } }],
    [false, { claim: [{ path: ['org'], value: null }] }],
  ])('%s: %j', (holds, alternative) => {
    expect(alternativeHolds(alternative, verified)).toBe(holds);
  });
});
