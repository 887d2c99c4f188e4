import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileIdentityHeader,
  emitIdentityHeaders,
  encodings,
  type IdentityHeaderSpec,
  listStyles,
} from '../../src/gate/identity-headers.ts';
import type { Json, JsonObject } from '../../src/gate/token.ts';

function emit(spec: string | IdentityHeaderSpec, claims: JsonObject): readonly string[] | 'refused' {
  const header = compileIdentityHeader('X-Out', typeof spec === 'string' ? { value: spec } : spec);
  if ('problem' in header) throw new Error(header.problem);
  const captures = new Map([['account', 'a1']]);
  const emitted = emitIdentityHeaders([header], { claims, captures, requestId: 'r-1' });
  if (emitted.kind === 'refused') return 'refused';
  return emitted.headers.filter((_, index) => index % 2 === 1);
}

describe('a template', () => {
  it.each<[string, JsonObject, string[]]>([
    ['${claims.sub}', { sub: 'joe' }, ['joe']],
    ['${claims.n}', { n: 12 }, ['12']],
    ['${claims.b}', { b: false }, ['false']],
    ['${claims.user.email}', { user: { email: 'j@x.example' } }, ['j@x.example']],
    ['${claims["https://x/y"].id}', { 'https://x/y': { id: 'z' } }, ['z']],
    ['acme/${claims.sub}', { sub: 'joe' }, ['acme/joe']],
    ['${path.account}:${request.id}', {}, ['a1:r-1']],
    ['$$${claims.n}', { n: 5 }, ['$5']],
    ['${claims.o}', { o: { a: 'é' } }, ['{"a":"\\u00e9"}']],
    ['', {}, ['']],
  ])('%s of %j', (template, claims, values) => {
    expect(emit(template, claims)).toEqual(values);
  });

  it.each<[string, JsonObject]>([
    ['${claims.sub}', {}],
    ['${claims.sub}', { sub: null }],
    ['x-${claims.a.b}', { a: 'flat' }],
    ['${claims.__proto__}', {}],
    ['${path.nothing}', {}],
  ])('%s sends no header where a part is missing: %j', (template, claims) => {
    expect(emit(template, claims)).toEqual([]);
  });

  it.each(['${env}', '${claims}', '${claims.}', '${', '$x', '${request.body}', '${tenant}'])(
    '%s is a problem',
    (template) => {
      expect(compileIdentityHeader('X-Out', { value: template })).toHaveProperty('problem');
    },
  );
});

describe('a list', () => {
  it.each<[IdentityHeaderSpec, Json, string[]]>([
    [{ value: '${claims.l}' }, ['a', 'b', 3], ['a,b,3']],
    [{ value: '${claims.l}' }, [], ['']],
    [{ value: '${claims.l}', list: 'json' }, ['a', 'é', { b: 1 }], ['["a","\\u00e9",{"b":1}]']],
    [{ value: '${claims.l}', list: 'repeat' }, ['a', 'b,c'], ['a', 'b,c']],
  ])('%j of %j', (spec, l, values) => {
    expect(emit(spec, { l })).toEqual(values);
  });

  it('never lets one member pass for two', () => {
    expect(emit('${claims.roles}', { roles: ['user', 'x,admin'] })).toBe('refused');
    expect(emit({ value: '${claims.roles}', encode: 'rfc8187' }, { roles: ['x,admin'] })).toBe('refused');
    expect(emit('${claims.roles}', { roles: [['admin']] })).toBe('refused');
  });

  it('percent-encoded keeps its members apart and can be read back', () => {
    const [value] = emit({ value: '${claims.l}', encode: 'percent' }, { l: ['a,b', '50%', 'é x'] }) as string[];
    expect(value?.split(',').map(decodeURIComponent)).toEqual(['a,b', '50%', 'é x']);
  });
});

describe('header injection by a claim', () => {
  it.each([
    ['CR LF', 'a\r\nX-Admin: 1'],
    ['LF', 'a\nb'],
    ['CR', 'a\rb'],
    ['NUL', 'a\0b'],
    ['a tab', 'a\tb'],
    ['DEL', 'a\x7f'],
    ['non-ASCII that latin1 cuts to CR LF', 'a\u010d\u010ab'],
    ['a lone surrogate', 'a\ud800'],
    ['a space in front, which a reader trims', ' admin'],
    ['a space behind, which a reader trims', 'admin '],
    ['a name in Cyrillic letters', 'аdmin'],
  ])('with %s is refused', (_name, value) => {
    expect(emit('${claims.sub}', { sub: value })).toBe('refused');
    expect(emit({ value: '${claims.l}', list: 'repeat' }, { l: [value] })).toBe('refused');
  });
});

describe('an encoding', () => {
  it.each<[IdentityHeaderSpec['encode'], string, string]>([
    ['percent', 'plain', 'plain'],
    ['percent', 'é 50%', '%C3%A9%2050%25'],
    ['percent', 'a\r\nb', 'a%0D%0Ab'],
    ['base64url', 'é', 'w6k'],
    ['base64url', 'plain', 'cGxhaW4'],
    ['rfc8187', 'é a', "UTF-8''%C3%A9%20a"],
    ['rfc8187', 'plain', "UTF-8''plain"],
  ])('%s of %j', (encode, value, expected) => {
    expect(emit({ value: '${claims.v}', encode }, { v: value })).toEqual([expected]);
  });
});

it('no claim of any kind can put anything but visible ASCII and inner spaces in a header', () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a\r\nb', '\0', ' x ')),
      fc.constantFrom(...encodings),
      fc.constantFrom(...listStyles),
      (any, text, encode, list) => {
        for (const value of [any as Json, text, [text, any as Json]]) {
          const values = emit({ value: '${claims.v}', encode, list }, { v: value });
          if (values === 'refused') continue;
          for (const one of values) expect(one).toMatch(/^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

it.each(['X Y', '', 'Host', 'content-length', 'Transfer_Encoding', 'Connection', 'X:Y', 'é'])(
  '%j is no identity header',
  (name) => {
    expect(compileIdentityHeader(name, { value: 'x' })).toHaveProperty('problem');
  },
);
