import { describe, expect, it } from 'vitest';
import { type BindableRequest, type BindSource, compileBind } from '../../src/gate/bind.ts';
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
  body: {
    clientId: 'AP09/2315/v2_dev/ice',
    userId: '2315',
    number: 2315,
    deep: { 'a/b': [{ id: 'a1' }] },
    list: ['a1'],
    none: null,
    flag: true,
  },
};

const holds = (claims: JsonObject, source: BindSource, paths: string[][] = [['c']]) => {
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

describe('a binding to the body', () => {
  it.each<[JsonObject, BindSource]>([
    [{ c: '2315' }, 'body./userId'],
    [{ c: 2315 }, 'body./number'],
    [{ c: 2315 }, { from: 'body./userId', as: 'text' }],
    [{ c: '2315' }, { from: 'body./number', as: 'text' }],
    [{ c: 'a1' }, 'body./deep/a~1b/0/id'],
    [{ c: 'AP09' }, { from: 'body./clientId', split: '/', part: 0 }],
    [{ c: 2315 }, { from: 'body./clientId', split: '/', part: 1 }],
    [{ c: 'x' }, { from: 'body./absent', optional: true }],
  ])('%j to %j holds', (claims, source) => {
    expect(holds(claims, source)).toBe(true);
  });

  it.each<[string, JsonObject, BindSource]>([
    ['a number for a text', { c: 2315 }, 'body./userId'],
    ['a text for a number', { c: '2315' }, 'body./number'],
    ['true for "true"', { c: 'true' }, 'body./flag'],
    ['a member that is not there', { c: 'x' }, 'body./absent'],
    ['null', { c: null }, 'body./none'],
    ['null, though optional', { c: 'x' }, { from: 'body./none', optional: true }],
    ['another value, though optional', { c: 'x' }, { from: 'body./userId', optional: true }],
    ['a list', { c: ['a1'] }, 'body./list'],
    ['an object', { c: {} }, 'body./deep'],
    ['the whole document', { c: 'x' }, 'body.'],
    ['a part that is not there', { c: 'x' }, { from: 'body./clientId', split: '/', part: 9 }],
    ['a part of a number', { c: 2315 }, { from: 'body./number', split: '/', part: 0 }],
    ['what an object inherits', { c: 'x' }, 'body./constructor/name'],
  ])('%s is a mismatch', (_name, claims, source) => {
    if (source === 'body.') expect(compileBind([['c']], source)).toHaveProperty('problem');
    else expect(holds(claims, source)).toBe(false);
  });

  it('an ambiguous value is a mismatch even where the value is optional', () => {
    expect(holds({ c: '1' }, { from: 'query.twice', optional: true })).toBe(false);
    expect(holds({ c: '1' }, { from: 'header.X-Twice', optional: true })).toBe(false);
    expect(holds({ c: '1' }, { from: 'query.absent', optional: true })).toBe(true);
  });

  it.each<BindSource>(['body./a~2', 'body.a', { from: 'body./a', split: '/' }, { from: 'body./a', part: 1 }])(
    '%j is a problem',
    (source) => {
      expect(compileBind([['c']], source)).toHaveProperty('problem');
    },
  );
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
