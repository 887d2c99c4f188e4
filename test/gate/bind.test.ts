import { describe, expect, it } from 'vitest';
import { type BindableRequest, compileBind } from '../../src/gate/bind.ts';
import type { JsonObject } from '../../src/gate/token.ts';

const request: BindableRequest = {
  head: { method: 'POST', headers: ['X-Account', 'a1', 'X-Twice', '1', 'x-twice', '1'] },
  query: 'account=a1&twice=1&twice=1',
  captures: new Map([
    ['account', 'a1'],
    ['number', '2315'],
    ['empty', ''],
  ]),
  host: 'a1.example',
};

const holds = (claims: JsonObject, source: string, paths: string[][] = [['c']]) => {
  const rule = compileBind(paths, source);
  if ('problem' in rule) throw new Error(rule.problem);
  return rule.test(claims, request);
};

describe('a binding holds', () => {
  it.each<[JsonObject, string]>([
    [{ c: 'a1' }, 'path.account'],
    [{ c: 'a1' }, 'query.account'],
    [{ c: 'a1' }, 'header.X-Account'],
    [{ c: 'a1.example' }, 'host'],
    [{ c: 'POST' }, 'method'],
    [{ c: 2315 }, 'path.number'],
    [{ c: ['x', 'a1'] }, 'path.account'],
    [{ c: [1, 2315] }, 'path.number'],
  ])('%j to %s', (claims, source) => {
    expect(holds(claims, source)).toBe(true);
  });

  it('where any of several claims does', () => {
    const paths = [['userId'], ['appUserId'], ['deep', 'id']];
    expect(holds({ appUserId: 'a1' }, 'path.account', paths)).toBe(true);
    expect(holds({ deep: { id: 'a1' } }, 'path.account', paths)).toBe(true);
    expect(holds({ other: 'a1' }, 'path.account', paths)).toBe(false);
  });
});

describe('a binding is a mismatch', () => {
  it.each<[string, JsonObject, string]>([
    ['another value', { c: 'a2' }, 'path.account'],
    ['another letter case', { c: 'A1' }, 'path.account'],
    ['a longer value', { c: 'a1 ' }, 'path.account'],
    ['no claim', {}, 'path.account'],
    ['a null claim', { c: null }, 'path.account'],
    ['an object claim', { c: { toString: 'a1' } }, 'path.account'],
    ['a nested list', { c: [['a1']] }, 'path.account'],
    ['an empty claim for an empty value', { c: '' }, 'path.empty'],
    ['no such path variable', { c: 'a1' }, 'path.other'],
    ['no such parameter', { c: 'a1' }, 'query.other'],
    ['no such header', { c: 'a1' }, 'header.other'],
    ['a repeated parameter', { c: '1' }, 'query.twice'],
    ['a repeated header', { c: '1' }, 'header.X-Twice'],
    ['an id that JSON rounds to another', { c: 2 ** 53 }, 'path.account'],
  ])('%s', (_name, claims, source) => {
    expect(holds(claims, source)).toBe(false);
  });

  it.each(['path', 'path.', 'cookie.x', 'host.x', 'constructor', 'toString.x', ''])('and %j is no source', (source) => {
    expect(compileBind([['c']], source)).toHaveProperty('problem');
  });
});
