import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../src/gate/token.ts';
import { compileJsonTemplate, type JsonTemplate, type SigningValues } from '../../src/sign/json-template.ts';

const nowS = 1_700_000_000;
const values = (claims: JsonObject = {}): SigningValues => ({
  claims,
  captures: new Map([['accountId', 'a-7']]),
  requestId: 'req-1',
  tenant: 'acme',
});

function compiled(object: JsonObject): JsonTemplate {
  const template = compileJsonTemplate(object);
  if ('problems' in template) throw new Error(JSON.stringify(template.problems));
  return template;
}

function fill(object: JsonObject, claims?: JsonObject): JsonObject {
  const filled = compiled(object).fill(values(claims), nowS);
  if (filled.kind === 'unfillable') throw new Error(filled.detail);
  return filled.object;
}

describe('a bare word that is a whole value', () => {
  test.each<[string, Json]>([
    ['now', nowS],
    ['+5m', nowS + 300],
    ['+90s', nowS + 90],
    ['+1h30m', nowS + 5400],
    ['+168h', nowS + 604_800],
  ])('%s is a time in whole seconds', (word, time) => {
    expect(fill({ at: word, deep: { list: [word] } })).toEqual({ at: time, deep: { list: [time] } });
  });

  test('uuid is another one each time', () => {
    const template = compiled({ jti: 'uuid' });
    const made = [1, 2].map(() => template.fill(values(), nowS));
    expect(made[0]).not.toEqual(made[1]);
    expect(JSON.stringify(made[0])).toMatch(
      /"jti":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"/,
    );
  });

  test.each(['now.', 'right now', 'NOW', '+5', '+5 m', '+5min', '+5m.', '-5m', '5m', '+', '+m', 'uuid4', ' now'])(
    '%j is text',
    (text) => {
      expect(fill({ text })).toEqual({ text });
    },
  );

  test.each([
    ["'now'", 'now'],
    ["'+5m'", '+5m'],
    ["'uuid'", 'uuid'],
    ["''now''", "'now'"],
    ["'then'", "'then'"],
    ["'now", "'now"],
  ])('%s is the text %s', (written, text) => {
    expect(fill({ written })).toEqual({ written: text });
  });

  test.each(['now', '+5m', 'uuid', "'now'"])('a claim that says %s stays that text', (claim) => {
    expect(fill({ alone: '${claims.c}', within: '<${claims.c}>' }, { c: claim })).toEqual({
      alone: claim,
      within: `<${claim}>`,
    });
  });

  test.each(['now', 'uuid'])('a tenant by the name of %s stays that text', (tenant) => {
    const filled = compiled({ tenant: '${tenant}' }).fill({ ...values(), tenant }, nowS);
    expect(filled).toEqual({ kind: 'filled', object: { tenant } });
  });
});

describe('a member that is one placeholder alone keeps its JSON type:', () => {
  test.each<Json>([1, 1.5, true, false, null, '', 'text', ['a', 1], { a: { b: [] } }])('%j', (claim) => {
    expect(fill({ member: '${claims.c}' }, { c: claim })).toEqual({ member: claim });
  });

  test('a whole object of claims moves under one name', () => {
    expect(fill({ user: '${claims.user}' }, { user: { id: 1, email: 'a@b' } })).toEqual({
      user: { id: 1, email: 'a@b' },
    });
  });
});

describe('text with placeholders', () => {
  test('takes claims, path, request and tenant', () => {
    const template = { sub: '${tenant}/${path.accountId}/${claims.id}#${request.id} costs $$5' };
    expect(fill(template, { id: 7 })).toEqual({ sub: 'acme/a-7/7#req-1 costs $5' });
  });

  test.each([[['a']], [{ a: 1 }]])('can not hold %j', (claim) => {
    const filled = compiled({ user: { name: 'x-${claims.c}' } }).fill(values({ c: claim }), nowS);
    expect(filled).toEqual({ kind: 'unfillable', detail: "user.name: a list or object can't stand inside a text" });
  });
});

describe('a claim that is missing', () => {
  test('leaves its member out, and its text, and its item', () => {
    const template = { a: '${claims.x}', b: 'x-${claims.x}', c: ['${claims.x}', 'kept'], d: { e: '${claims.x}' } };
    expect(fill(template)).toEqual({ c: ['kept'], d: {} });
  });

  test('is not found in the machinery of objects', () => {
    expect(fill({ a: '${claims.constructor}', b: '${claims.__proto__}', c: '${claims.toString.name}' })).toEqual({});
  });
});

test('a number that the parser has rounded is not signed: two ids would become one', () => {
  for (const object of [{ id: '${claims.id}' }, { id: 'user-${claims.id}' }]) {
    const filled = compiled(object).fill(values(JSON.parse('{"id":9007199254740993}')), nowS);
    expect(filled).toMatchObject({ kind: 'unfillable', detail: expect.stringContaining('${claims.id} is a number') });
  }
});

test('a member may have any name', () => {
  const object = JSON.parse('{"__proto__": {"admin": "${claims.c}"}, "constructor": "now", "": 1, "a.b": true}');
  const filled = fill(object, { c: 'x' });
  expect(JSON.stringify(filled)).toBe(`{"__proto__":{"admin":"x"},"constructor":${nowS},"":1,"a.b":true}`);
});

test('all problems are told, with their paths', () => {
  const result = compileJsonTemplate({ a: '${nope}', b: { c: ['ok', '$x'] }, d: Number.NaN, e: '${claims.}' });
  expect('problems' in result && result.problems.map(({ path }) => path)).toEqual(['a', 'b.c.1', 'd', 'e']);
});

describe('inputs', () => {
  test('tell missing from null, text from number, one list from two values', () => {
    const template = compiled({ a: '${claims.a}', b: '${claims.b}' });
    const inputs = [{}, { a: null }, { a: 'null' }, { a: 1 }, { a: '1' }, { b: 1 }, { a: [1, 2] }, { a: 1, b: 2 }].map(
      (claims) => template.inputs(values(claims)),
    );
    expect(new Set(inputs).size).toBe(inputs.length);
  });

  test('leave out what comes once', () => {
    const template = compiled({ jti: 'uuid', ref: '${request.id}', sub: '${claims.sub}' });
    expect(template.once).toBe(true);
    const [one, other] = ['r1', 'r2'].map((requestId) => template.inputs({ ...values({ sub: 'u' }), requestId }));
    expect(one).toBe(other);
  });

  test('are equal only where everything filled is equal', () => {
    const template = compiled({ a: '${claims.a}', t: '<${claims.b}|${claims.c}>', l: ['${claims.c}'] });
    const claim = fc.option(fc.jsonValue({ maxDepth: 2 }), { nil: undefined });
    const claims = fc.record({ a: claim, b: claim, c: claim }).map((record) => JSON.parse(JSON.stringify(record)));
    fc.assert(
      fc.property(claims, claims, (x, y) => {
        if (template.inputs(values(x)) !== template.inputs(values(y))) return;
        expect(template.fill(values(x), nowS)).toEqual(template.fill(values(y), nowS));
      }),
    );
  });
});
