import { describe, expect, it } from 'vitest';
import { findQueryParameter, withoutQueryParameters } from '../../src/gate/query.ts';

describe('a query parameter', () => {
  it.each([
    ['jwt=a', 'a'],
    ['x=1&jwt=a&y=2', 'a'],
    ['%6Awt=a', 'a'],
    ['jwt=a%2Bb+c', 'a+b c'],
    ['jwt=', ''],
    ['jwt', ''],
    ['q=100%&jwt=a', 'a'],
    ['jwt=a=b', 'a=b'],
  ])('%s holds one value', (query, value) => {
    expect(findQueryParameter(query, 'jwt')).toEqual({ kind: 'value', value });
  });

  it.each([undefined, '', 'x=1', 'jwtx=1', 'x=jwt=1', '&&', '=a'])('is absent from %s', (query) => {
    expect(findQueryParameter(query, 'jwt')).toEqual({ kind: 'absent' });
  });

  it.each([
    ['twice', 'jwt=a&jwt=b'],
    ['twice the same', 'jwt=a&jwt=a'],
    ['once encoded', 'jwt=a&%6Awt=b'],
    ['in another letter case (ASP.NET)', 'jwt=a&JWT=b'],
    ['only in another letter case', 'JWT=b'],
    ['as an array (PHP)', 'jwt=a&jwt[]=b'],
    ['behind a semicolon (old CGI)', 'jwt=a;jwt=b'],
    ['behind a semicolon of another parameter', 'x=1;jwt=b'],
    ['with a semicolon in its value', 'jwt=a;x=b'],
    ['with a broken escape', 'jwt=%zz'],
    ['with overlong UTF-8', 'jwt=%c0%ae'],
    ['with a space before the equals sign', 'jwt%20=a'],
    ['behind a second question mark (URLSearchParams)', '?jwt=a'],
    ['once more behind a second question mark', '?jwt=b&jwt=a'],
  ])('that stands %s is ambiguous', (_name, query) => {
    expect(findQueryParameter(query, 'jwt')).toEqual({ kind: 'ambiguous' });
  });

  it('with "_" is ambiguous beside the "." and " " that PHP turns into it', () => {
    expect(findQueryParameter('account_id=1&account.id=2', 'account_id').kind).toBe('ambiguous');
  });
});

describe('a query without a parameter', () => {
  it.each([
    ['jwt=a', undefined],
    ['jwt=a&x=1', 'x=1'],
    ['x=1&jwt=a', 'x=1'],
    ['x=1&jwt=a&y=%20', 'x=1&y=%20'],
    ['x=1&%4AWT=a&y=2', 'x=1&y=2'],
    ['x=1', 'x=1'],
    ['', ''],
    [undefined, undefined],
  ])('%s becomes %s, the rest byte for byte', (query, kept) => {
    expect(withoutQueryParameters(query, ['jwt'])).toBe(kept);
  });

  it('is untouched where none is named', () => {
    expect(withoutQueryParameters('&&a=1&', [])).toBe('&&a=1&');
  });
});
