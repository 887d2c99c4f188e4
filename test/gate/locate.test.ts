import { describe, expect, it } from 'vitest';
import { withoutCookies } from '../../src/gate/cookies.ts';
import { defaultLocations, locateToken, type TokenLocation } from '../../src/gate/locate.ts';

const header: TokenLocation = { kind: 'header', name: 'authorization', scheme: 'bearer' };
const raw: TokenLocation = { kind: 'header', name: 'x-user-token', scheme: undefined };
const query: TokenLocation = { kind: 'query', name: 'jwt' };
const cookie: TokenLocation = { kind: 'cookie', name: 'session' };
const all = [header, raw, query, cookie];

const locate = (headers: string[], queryText?: string, locations: readonly TokenLocation[] = all) =>
  locateToken({ headers }, queryText, locations);

describe('a token is found', () => {
  it('in either of two cookies that a lenient server takes for one, where the tenant has both', () => {
    const both = ['access.token', 'access_token'].map((name) => ({ kind: 'cookie', name }) as const);
    for (const { name } of both) {
      const found = locate(['Cookie', `${name}=aa.bb.cc`], undefined, both);
      expect(found).toMatchObject({ kind: 'found', unverifiedToken: 'aa.bb.cc', location: { name } });
    }
    const two = locate(['Cookie', 'access.token=aa.bb.cc; access_token=aa.bb.dd'], undefined, both);
    expect(two.kind).toBe('ambiguous');
  });

  it.each([
    ['after its scheme', ['Authorization', 'Bearer a.b.c'], undefined, header],
    ['after its scheme in any letter case', ['authorization', 'bEaReR a.b.c'], undefined, header],
    ['after several spaces', ['Authorization', 'Bearer   a.b.c'], undefined, header],
    ['after a tab', ['Authorization', 'Bearer\ta.b.c'], undefined, header],
    ['raw in its header', ['X-User-Token', 'a.b.c'], undefined, raw],
    ['in the query', [], 'x=1&jwt=a.b.c', query],
    ['in a cookie', ['Cookie', 'a=1; session=a.b.c; b=2'], undefined, cookie],
    ['in a second Cookie line', ['Cookie', 'a=1', 'Cookie', 'session=a.b.c'], undefined, cookie],
    ['in a quoted cookie', ['Cookie', 'session="a.b.c"'], undefined, cookie],
  ])('%s', (_name, headers, queryText, location) => {
    expect(locate(headers, queryText)).toEqual({ kind: 'found', unverifiedToken: 'a.b.c', location, copies: [] });
  });

  it('in the first of the tenant’s locations that holds it, and its copies are known', () => {
    expect(locate(['Cookie', 'session=t', 'Authorization', 'Bearer t'], 'jwt=t')).toEqual({
      kind: 'found',
      unverifiedToken: 't',
      location: header,
      copies: [query, cookie],
    });
  });

  it('only where the tenant accepts one', () => {
    expect(locate(['X-User-Token', 't', 'Cookie', 'session=t'], 'jwt=t', defaultLocations).kind).toBe('none');
  });
});

describe('there is no token', () => {
  it.each([
    ['without headers', []],
    ['in another scheme', ['Authorization', 'Basic dXNlcjpwYXNz']],
    ['in a Digest credential with commas', ['Authorization', 'Digest username="a", realm="b"']],
    ['in a scheme that only begins like ours', ['Authorization', 'BearerX a.b.c']],
    ['in a cookie of another name', ['Cookie', 'xsession=t; SESSION=t; sessio=n']],
  ])('%s', (_name, headers) => {
    expect(locate(headers).kind).toBe('none');
  });
});

describe('an empty credential is a token that fails, never a missing one', () => {
  it.each([
    ['Bearer alone', ['Authorization', 'Bearer'], undefined],
    ['Bearer and spaces', ['Authorization', 'Bearer  '], undefined],
    ['an empty raw header', ['X-User-Token', ''], undefined],
    ['an empty cookie', ['Cookie', 'session='], undefined],
    ['an empty query parameter', [], 'jwt='],
  ])('%s', (_name, headers, queryText) => {
    expect(locate(headers, queryText)).toMatchObject({ kind: 'found', unverifiedToken: '' });
  });
});

describe('more than one token is ambiguous', () => {
  it.each([
    ['two different tokens in two places', ['Authorization', 'Bearer a'], 'jwt=b'],
    ['a good one in front of an empty one', ['Authorization', 'Bearer a', 'Cookie', 'session='], undefined],
    ['a repeated Authorization', ['Authorization', 'Bearer a', 'Authorization', 'Bearer a'], undefined],
    ['a Basic line before a Bearer line', ['Authorization', 'Basic x', 'authorization', 'Bearer a'], undefined],
    ['two credentials in one line', ['Authorization', 'Bearer a, Bearer b'], undefined],
    ['a Bearer hidden behind Basic', ['Authorization', 'Basic x, Bearer a'], undefined],
    ['a Basic behind Bearer', ['Authorization', 'Bearer a,Basic x'], undefined],
    ['a list in a raw header', ['X-User-Token', 'a,b'], undefined],
    ['a repeated raw header', ['X-User-Token', 'a', 'x-user-token', 'b'], undefined],
    ['a repeated cookie', ['Cookie', 'session=a; session=a'], undefined],
    ['a repeated cookie in two lines', ['Cookie', 'session=a', 'Cookie', 'session=b'], undefined],
    ['a cookie repeated with a space before "="', ['Cookie', 'session=a; session =b'], undefined],
    ['a repeated query parameter', [], 'jwt=a&jwt=b'],
    ['a repeated query parameter, encoded', [], 'jwt=a&%6awt=b'],
  ])('%s', (_name, headers, queryText) => {
    expect(locate(headers, queryText).kind).toBe('ambiguous');
  });
});

describe('a Cookie line loses its token and keeps the rest', () => {
  it.each([
    ['session=t', undefined],
    ['a=1; session=t; b=2', 'a=1; b=2'],
    ['session=t; a=1', 'a=1'],
    ['a=1;session=t', 'a=1'],
    ['a=1; session =t', 'a=1'],
    ['a=1', 'a=1'],
  ])('%s → %s', (line, kept) => {
    expect(withoutCookies(line, new Set(['session']))).toBe(kept);
  });
});
