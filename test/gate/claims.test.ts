import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type ClaimCondition,
  checkRegisteredClaims,
  compileClaimCheck,
  findClaim,
  parseClaimPath,
  scalarText,
} from '../../src/gate/claims.ts';
import type { TokenChecks } from '../../src/gate/policy.ts';
import type { Json, JsonObject } from '../../src/gate/token.ts';
import { startCpuTime } from '../support/cpu-time.ts';

describe('a claim path', () => {
  it.each([
    ['sub', ['sub']],
    ['user.email', ['user', 'email']],
    ['["https://x/y", roles]', ['https://x/y', 'roles']],
    ['["https://x/y","roles"]', ['https://x/y', 'roles']],
    ["['a.b', 'c']", ['a.b', 'c']],
    ['["https://x/y"].roles', ['https://x/y', 'roles']],
    ['user["e.mail"]', ['user', 'e.mail']],
    ['https://x', ['https://x']],
    ['cognito:groups', ['cognito:groups']],
  ])('%s', (text, path) => {
    expect(parseClaimPath(text)).toEqual(path);
  });

  it.each(['', '.', 'a.', '.a', 'a..b', 'a]', 'a["b"', '[a'])('%j is none', (text) => {
    expect(parseClaimPath(text)).toHaveProperty('problem');
  });

  it('never reaches what an object inherits', () => {
    const claims = JSON.parse('{"__proto__": {"admin": true}, "a": "x"}') as JsonObject;
    expect(findClaim({}, ['__proto__', 'admin'])).toBeUndefined();
    expect(findClaim(claims, ['constructor'])).toBeUndefined();
    expect(findClaim(claims, ['a', 'length'])).toBeUndefined();
    expect(findClaim(claims, ['__proto__', 'admin'])).toBe(true);
  });
});

describe('a claim condition', () => {
  const holds = (condition: ClaimCondition, value: Json | undefined) => {
    const check = compileClaimCheck(['c'], condition);
    if ('problem' in check) throw new Error(check.problem);
    return check.test(value === undefined ? {} : { c: value });
  };

  it.each<[ClaimCondition, Json | undefined]>([
    ['required', 'x'],
    ['required', 0],
    ['required', false],
    ['required', []],
    ['absent', undefined],
    ['admin', 'admin'],
    [7, 7],
    [true, true],
    [null, null],
    [{ oneOf: ['admin', 'editor'] }, 'editor'],
    [{ oneOf: [1, 2] }, 2],
    [{ contains: 'b' }, ['a', 'b']],
    [{ contains: 'b' }, 'a b c'],
    [{ contains: ['a', 'c'] }, 'a b c'],
    [{ contains: 1 }, [1]],
    [{ matches: '[a-z]+@example\\.com' }, 'joe@example.com'],
    [{ equals: 'required' }, 'required'],
    [{ equals: { a: [1, 2], b: null } }, { b: null, a: [1, 2] }],
    [{ oneOf: ['ab', 'cd'], matches: 'a.' }, 'ab'],
  ])('%j accepts %j', (condition, value) => {
    expect(holds(condition, value)).toBe(true);
  });

  it.each<[ClaimCondition, Json | undefined]>([
    ['required', undefined],
    ['required', null],
    ['required', ''],
    ['absent', null],
    ['absent', 'x'],
    ['admin', 'Admin'],
    ['admin', ['admin']],
    [7, '7'],
    [true, 'true'],
    [null, undefined],
    [{ oneOf: ['admin', 'editor'] }, undefined],
    [{ oneOf: ['admin', 'editor'] }, ['admin']],
    [{ oneOf: ['1'] }, 1],
    [{ contains: 'b' }, 'abc'],
    [{ contains: 'b' }, undefined],
    [{ contains: ['a', 'd'] }, 'a b c'],
    [{ contains: 'b' }, { b: true }],
    [{ matches: '[a-z]+@example\\.com' }, 'evil joe@example.com'],
    [{ matches: '[a-z]+@example\\.com' }, 'joe@example.com\n'],
    [{ matches: 'a' }, ['a']],
    [{ matches: '.*' }, undefined],
    [{ equals: { a: 1 } }, { a: 1, b: 2 }],
    [{ equals: [1, 2] }, [2, 1]],
    [{ equals: { toString: 1 } }, { other: 1 }],
    [{ oneOf: ['ab', 'cd'], matches: 'c.' }, 'ab'],
  ])('%j refuses %j', (condition, value) => {
    expect(holds(condition, value)).toBe(false);
  });

  it('takes time linear in the claim, whatever the expression (ReDoS)', () => {
    const cpuMs = startCpuTime();
    expect(holds({ matches: '(a+)+b' }, 'a'.repeat(8000))).toBe(false);
    expect(cpuMs()).toBeLessThan(2000);
  });

  it('a counted repetition that multiplies, (a?){500}a{500}, is refused at load: it looks at each letter a thousand times', () => {
    for (const matches of ['(a?){500}a{500}', '(\\pL|\\pN){900}', '.{1,600}', '((a{9}){9}){12}']) {
      expect(compileClaimCheck(['c'], { matches })).toEqual({
        problem: 'matches is too large a regular expression: fewer or smaller repeats',
      });
    }
    expect(compileClaimCheck(['c'], { matches: '(a?){1001}' })).toHaveProperty('problem');
    const email = { matches: '[\\pL\\pN._-]{1,64}@[\\pL\\pN-]{1,63}([.][\\pL\\pN-]+)+' };
    expect(holds(email, 'zoë@mail.example')).toBe(true);
    expect(holds(email, `${'z'.repeat(65)}@mail.example`)).toBe(false);
  });

  it('a long claim takes no longer for the largest expression: it is refused where that would take too many steps', () => {
    const nearlyTooLarge = { matches: '(a?){190}a{190}(a|b)*' };
    const cpuMs = startCpuTime();
    expect(holds(nearlyTooLarge, 'a'.repeat(250))).toBe(true);
    expect(holds(nearlyTooLarge, 'a'.repeat(100_000))).toBe(false);
    expect(holds({ matches: 'a+' }, 'a'.repeat(16_384))).toBe(true);
    expect(cpuMs()).toBeLessThan(2000);
  });

  it('letters that bring a new state each, where an engine builds its automaton as it goes, take no longer either', () => {
    const cpuMs = startCpuTime();
    for (let round = 0; round < 10; round++) {
      const letters = Array.from(randomBytes(2000), (byte) => (byte & 1 ? 'a' : 'b')).join('');
      expect(holds({ matches: '(a|b)*a(a|b){60}c' }, letters)).toBe(false);
    }
    expect(cpuMs()).toBeLessThan(1000);
  });

  it('that is no RE2 expression, or says nothing, is a problem', () => {
    expect(compileClaimCheck(['c'], { matches: '(?<=a)b' })).toHaveProperty('problem');
    expect(compileClaimCheck(['c'], { matches: '(' })).toHaveProperty('problem');
    expect(compileClaimCheck(['c'], {})).toHaveProperty('problem');
  });
});

describe('a scalar’s text', () => {
  it.each<[Json, string | undefined]>([
    ['a', 'a'],
    [2315, '2315'],
    [-1, '-1'],
    [1.5, '1.5'],
    [true, 'true'],
    [null, undefined],
    [{}, undefined],
    [[1], undefined],
    [2 ** 53, undefined],
  ])('%j → %j', (value, text) => {
    expect(scalarText(value)).toBe(text);
  });
});

describe('the registered claims', () => {
  const base: TokenChecks = {
    requireExp: true,
    clockSkewS: 5,
    maxAgeS: undefined,
    issuers: undefined,
    subjects: undefined,
    audiences: undefined,
    types: undefined,
  };
  const now = 1_800_000_000;
  const check = (claims: JsonObject, checks: Partial<TokenChecks> = {}, header: JsonObject = {}) =>
    checkRegisteredClaims(header, claims, { ...base, ...checks }, now)?.reason;
  const exp = now + 60;

  it.each<[string, JsonObject, Partial<TokenChecks>, JsonObject?]>([
    ['exp ahead', { exp }, {}],
    ['exp just past, within the skew', { exp: now - 4 }, {}],
    ['fractional times', { exp: now + 0.5, nbf: now - 0.5 }, {}],
    ['nbf ahead, within the skew', { exp, nbf: now + 5 }, {}],
    ['no exp where the tenant allows it', {}, { requireExp: false }],
    ['iat in the future without maxAge', { exp, iat: now + 999 }, {}],
    ['iat within maxAge', { exp, iat: now - 60 }, { maxAgeS: 60 }],
    ['one of the issuers', { exp, iss: 'b' }, { issuers: ['a', 'b'] }],
    ['the audience', { exp, aud: 'api' }, { audiences: ['api'] }],
    ['one of several audiences', { exp, aud: ['x', 'api'] }, { audiences: ['other', 'api'] }],
    ['the type in its long form and any letter case', { exp }, { types: ['at+jwt'] }, { typ: 'application/AT+JWT' }],
    ['the subject', { exp, sub: 's' }, { subjects: ['s'] }],
  ])('pass with %s', (_name, claims, checks, header) => {
    expect(check(claims, checks, header)).toBeUndefined();
  });

  it.each<[string, JsonObject, Partial<TokenChecks>, string, JsonObject?]>([
    ['no exp', {}, {}, 'claimRefused'],
    ['exp past', { exp: now - 5 }, {}, 'tokenExpired'],
    ['exp as text', { exp: `${exp}` }, {}, 'tokenMalformed'],
    ['exp null', { exp: null }, { requireExp: false }, 'tokenMalformed'],
    ['exp huge', { exp: Number.POSITIVE_INFINITY }, {}, 'tokenMalformed'],
    ['exp past where it is optional', { exp: now - 60 }, { requireExp: false }, 'tokenExpired'],
    ['nbf ahead', { exp, nbf: now + 6 }, {}, 'tokenNotYetValid'],
    ['nbf as a list', { exp, nbf: [now] }, {}, 'tokenMalformed'],
    ['no iat under maxAge', { exp }, { maxAgeS: 60 }, 'claimRefused'],
    ['iat too old', { exp, iat: now - 66 }, { maxAgeS: 60 }, 'tokenExpired'],
    ['iat in the future under maxAge', { exp, iat: now + 6 }, { maxAgeS: 60 }, 'tokenNotYetValid'],
    ['another issuer', { exp, iss: 'https://id.example' }, { issuers: ['https://id.example/'] }, 'claimRefused'],
    ['issuer as a list', { exp, iss: ['a'] }, { issuers: ['a'] }, 'claimRefused'],
    ['no issuer', { exp }, { issuers: ['a'] }, 'claimRefused'],
    ['another audience', { exp, aud: 'api2' }, { audiences: ['api'] }, 'claimRefused'],
    ['audience by prefix in a list', { exp, aud: ['api2'] }, { audiences: ['api'] }, 'claimRefused'],
    ['no audience', { exp }, { audiences: ['api'] }, 'claimRefused'],
    ['an empty audience list', { exp, aud: [] }, { audiences: ['api'] }, 'claimRefused'],
    ['an ID token where an access token is wanted', { exp }, { types: ['at+jwt'] }, 'claimRefused', { typ: 'JWT' }],
    ['no type', { exp }, { types: ['at+jwt'] }, 'claimRefused'],
    ['another subject', { exp, sub: 't' }, { subjects: ['s'] }, 'claimRefused'],
  ])('refuse %s', (_name, claims, checks, reason, header) => {
    expect(check(claims, checks, header)).toBe(reason);
  });
});
