import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MalformedToken, parseToken, type UnverifiedToken } from '../../src/gate/token.ts';
import { encodePart, rawToken } from '../support/raw-token.ts';

const maxBytes = 8192;
const header = { alg: 'HS256', typ: 'JWT' };
const payload = { sub: 'user-1', exp: 1_732_339_200 };

function accepted(raw: string): UnverifiedToken {
  const token = parseToken(raw, maxBytes);
  if (token.kind === 'malformed') throw new Error(`malformed: ${token.detail}`);
  return token;
}

function refused(raw: string): string {
  return (parseToken(raw, maxBytes) as MalformedToken).detail;
}

describe('a compact JWT', () => {
  test('is taken apart without being verified', () => {
    const raw = rawToken({ ...header, kid: 'k1' }, payload, 'c2lnbmF0dXJl');
    expect(accepted(raw)).toEqual({
      kind: 'unverified',
      raw,
      unverifiedHeader: { ...header, kid: 'k1' },
      unverifiedClaims: payload,
      algorithm: 'HS256',
      kid: 'k1',
      signingInput: raw.slice(0, raw.lastIndexOf('.')),
      signature: Buffer.from('signature'),
    });
  });

  test.each([
    ['a string', 'key-1', 'key-1'],
    ['an empty string', '', ''],
    ['a number, as its decimal text', 1, '1'],
    ['a large number, as its decimal text', 2 ** 53 - 1, '9007199254740991'],
    ['a negative number', -5, '-5'],
  ])('may have as kid %s', (_what, kid, text) => {
    expect(accepted(rawToken({ ...header, kid }, payload)).kid).toBe(text);
  });

  test('may have a numeric kid longer than a double: digit by digit', () => {
    const raw = rawToken('{"alg":"HS256","kid":12345678901234567891}', payload);
    expect(accepted(raw).kid).toBe('12345678901234567891');
  });

  test.each([null, true, 1.5, [1], { a: 1 }, 1e30])('may not have as kid %j', (kid) => {
    expect(refused(rawToken({ ...header, kid }, payload))).toContain('kid');
  });

  test.each(['x5t', 'x5t#S256', 'cty', 'iss', 'zip'])('may carry %s, which is ignored', (name) => {
    expect(accepted(rawToken({ ...header, [name]: 'AAAA' }, payload)).algorithm).toBe('HS256');
  });
});

describe('a malformed token', () => {
  test('longer than the cap is refused before anything else, to the byte', () => {
    const raw = rawToken(header, payload);
    expect(parseToken(raw, raw.length).kind).toBe('unverified');
    expect(parseToken(raw, raw.length - 1)).toEqual({
      kind: 'malformed',
      detail: `longer than ${raw.length - 1} bytes`,
    });
    expect(refused('.'.repeat(10_000_000))).toBe('longer than 8192 bytes');
  });

  const [h, p, s] = rawToken(header, payload).split('.') as [string, string, string];
  test.each([
    ['nothing', ''],
    ['one part', h],
    ['two parts', `${h}.${p}`],
    ['four parts', `${h}.${p}.${s}.`],
    ['trailing dots', `${h}.${p}.${s}..`],
    ['a leading dot', `.${h}.${p}.${s}`],
    ['an empty header', `.${p}.${s}`],
    ['an empty payload', `${h}..${s}`],
    ['only dots', '..'],
    ['many dots', '.'.repeat(8000)],
  ])('with %s', (_what, raw) => {
    expect(parseToken(raw, maxBytes).kind).toBe('malformed');
  });

  test('encrypted (JWE, five parts) is named as such', () => {
    expect(refused('eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA')).toContain('JWE');
    expect(refused('a.b.c.d.e')).toContain('JWE');
    expect(refused('a.b.c.d.e.f')).not.toContain('JWE');
  });

  test.each([
    ['padding', (part: string) => `${part}=`],
    ['double padding', (part: string) => `${part}==`],
    ['a space before', (part: string) => ` ${part}`],
    ['a space after', (part: string) => `${part} `],
    ['a line break inside', (part: string) => `${part.slice(0, 2)}\n${part.slice(2)}`],
    ['a tab inside', (part: string) => `${part.slice(0, 2)}\t${part.slice(2)}`],
    ['plus from the other alphabet', (part: string) => `+${part.slice(1)}`],
    ['slash from the other alphabet', (part: string) => `/${part.slice(1)}`],
    ['a percent escape', (part: string) => `%65${part.slice(1)}`],
    ['a non-ASCII letter', (part: string) => `é${part.slice(1)}`],
    ['a letter beyond latin1', (part: string) => `Ā${part.slice(1)}`],
    ['a NUL', (part: string) => `${part}\0`],
    [
      'a length that no bytes have',
      (part: string) => (part.length % 4 === 0 ? `${part}A` : part.slice(0, 4 * Math.floor(part.length / 4) + 1)),
    ],
  ])('whose parts are base64url with %s', (_what, spoil) => {
    expect(refused(`${spoil(h)}.${p}.${s}`)).toContain('header');
    expect(refused(`${h}.${spoil(p)}.${s}`)).toContain('payload');
    expect(refused(`${h}.${p}.${spoil(s)}`)).toContain('signature: not canonical base64url');
  });

  test('with spare base64url bits: the same signature bytes have one spelling only', () => {
    const oneByte = { A: 0, Q: 1, g: 2, w: 3 };
    for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      expect(parseToken(`${h}.${p}.A${last}`, maxBytes).kind, last).toBe(last in oneByte ? 'unverified' : 'malformed');
    }
  });

  test.each([
    ['text', '"HS256"'],
    ['a list', '[{"alg":"HS256"}]'],
    ['null', 'null'],
    ['a number', '1'],
    ['no JSON', 'alg: HS256'],
    ['duplicate members', '{"alg":"HS256","alg":"none"}'],
    ['duplicate members by escape', String.raw`{"alg":"HS256","\u0061lg":"none"}`],
    ['__proto__', '{"alg":"HS256","__proto__":{}}'],
    ['deep nesting', `{"alg":"HS256","a":${'['.repeat(2000)}${']'.repeat(2000)}}`],
  ])('whose header is %s', (_what, text) => {
    expect(refused(rawToken(text, payload))).toMatch(/^header: /);
  });

  test.each([
    ['text', '"sub"'],
    ['a list', '[1]'],
    ['null', 'null'],
    ['a nested token', rawToken(header, payload)],
    ['duplicate members', '{"sub":"a","sub":"admin"}'],
    ['duplicate members deep inside', '{"user":{"id":1,"i\\u0064":2}}'],
    ['deep nesting', `{"a":${'['.repeat(2000)}${']'.repeat(2000)}}`],
    ['infinite exp', '{"exp":1e999}'],
  ])('whose payload is %s', (_what, text) => {
    expect(refused(rawToken(header, text))).toMatch(/^payload: /);
  });

  test('whose payload is not UTF-8', () => {
    const raw = `${h}.${Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')}.${s}`;
    expect(refused(raw)).toBe('payload: not valid UTF-8');
  });

  test.each([undefined, null, 1, true, ['HS256'], { name: 'HS256' }])('whose alg is %j', (alg) => {
    expect(refused(rawToken({ typ: 'JWT', alg }, payload))).toBe('header: alg is missing or not a string');
  });

  test('whose alg is inherited rather than its own', () => {
    expect(refused(rawToken('{}', payload))).toBe('header: alg is missing or not a string');
  });

  test.each([
    ['crit, with a known name', 'crit', ['exp']],
    ['crit, empty', 'crit', []],
    ['crit, null', 'crit', null],
    ['crit, text', 'crit', 'exp'],
    ['b64 false', 'b64', false],
    ['b64 true', 'b64', true],
    ['an embedded jwk', 'jwk', { kty: 'oct', k: 'AAAA' }],
    ['jku', 'jku', 'https://attacker.example/jwks.json'],
    ['x5u', 'x5u', 'https://attacker.example/cert.pem'],
    ['x5c', 'x5c', ['MIIB']],
    ['an embedded jwk that is null', 'jwk', null],
  ])('with %s in its header', (_what, name, value) => {
    expect(refused(rawToken({ ...header, [name]: value }, payload))).toContain(`header: ${name}: `);
  });

  test('says nothing of itself in the detail', () => {
    const secretive = 'S3CR3T-looking-text';
    for (const raw of [
      secretive,
      `${secretive}.${secretive}.${secretive}`,
      rawToken(secretive, payload),
      rawToken(header, secretive),
      rawToken({ alg: 'HS256', kid: { [secretive]: 1 } }, payload),
      `${encodePart(header)}.${encodePart(payload)}.${secretive}=`,
    ]) {
      const token = parseToken(raw, maxBytes);
      expect(token.kind).toBe('malformed');
      expect((token as MalformedToken).detail).not.toContain('S3CR3T');
    }
  });
});

describe('properties', () => {
  test('any text is either taken apart or malformed, never an exception', () => {
    const part = fc.oneof(fc.string(), fc.base64String(), fc.json().map(encodePart));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        expect(['unverified', 'malformed']).toContain(parseToken(parts.join('.'), maxBytes).kind);
      }),
    );
  });

  test('a token has one spelling: what is accepted is exactly what its bytes encode to', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.nat(), fc.nat(), (signature, at, to) => {
        const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \n';
        const raw = rawToken(header, payload, signature);
        const start = raw.lastIndexOf('.') + 1;
        const i = start + (at % (raw.length - start));
        const changed = raw.slice(0, i) + alphabet[to % alphabet.length] + raw.slice(i + 1);
        const token = parseToken(changed, maxBytes);
        if (token.kind === 'malformed') return;
        expect(rawToken(header, payload, token.signature)).toBe(changed);
      }),
    );
  });
});
