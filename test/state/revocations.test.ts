import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RevocableToken } from '../../src/gate/revocation.ts';
import { parseRevocations, type Revocations } from '../../src/state/revocations.ts';
import { createValueTable } from '../../src/state/value-table.ts';

async function listOf(...lines: string[]): Promise<Revocations> {
  const read = await parseRevocations(Buffer.from(lines.map((line) => `${line}\n`).join('')));
  if (read.kind === 'problem') throw new Error(read.detail);
  return read;
}

const token = (over: Partial<RevocableToken>): RevocableToken => ({
  jti: undefined,
  sub: undefined,
  kid: undefined,
  issuedAtS: 1_000,
  ...over,
});

describe('an entry revokes what it names, and nothing else', () => {
  test.each<[string, Partial<RevocableToken>, boolean]>([
    ['jti one', { jti: 'one' }, true],
    ['jti one', { jti: 'two' }, false],
    ['jti one', { jti: 'ONE' }, false],
    ['jti one', { jti: 'one ' }, false],
    ['jti one', { sub: 'one', kid: 'one' }, false],
    ['jti #5', { jti: '#5' }, true],
    ['jti "two words"', { jti: 'two words' }, true],
    ['jti "\\u00e9"', { jti: 'é' }, true],
    ['jti é', { jti: 'é' }, true],
    ['jti é', { jti: 'Ã©' }, false],
    ['jti 🙂', { jti: '🙂' }, true],
    ['sub alice', { sub: 'alice' }, true],
    ['sub alice', { sub: 'alice', issuedAtS: undefined }, true],
    ['sub alice', { jti: 'alice' }, false],
    ['sub before', { sub: 'before' }, true],
    ['sub alice before 1000', { sub: 'alice' }, false],
    ['sub alice before 1001', { sub: 'alice' }, true],
    ['sub alice before 1001', { sub: 'bob' }, false],
    ['sub alice before 1001', { sub: 'alice', issuedAtS: undefined }, true],
    ['sub alice before 1970-01-01T00:16:41Z', { sub: 'alice' }, true],
    ['sub alice before 1970-01-01T01:16:40+01:00', { sub: 'alice' }, false],
    ['kid 2025', { kid: '2025' }, true],
    ['kid 2025', { kid: '2026' }, false],
    ['before 1001', {}, true],
    ['before 1000', {}, false],
    ['before 1000', { issuedAtS: undefined }, true],
    ['tenant acme jti one', { jti: 'one' }, true],
    ['tenant other jti one', { jti: 'one' }, false],
    ['tenant acme before 1001', {}, true],
    ['tenant other before 1001', {}, false],
    ['tenant other sub alice before 1001', { sub: 'alice' }, false],
    ['  jti\tone  ', { jti: 'one' }, true],
    ['jti one\r', { jti: 'one' }, true],
    ['\uFEFFjti one', { jti: 'one' }, true],
    ['# jti one', { jti: 'one' }, false],
    ['', { jti: '' }, false],
  ])('%j against %j', async (line, over, isRevoked) => {
    const list = await listOf(line);
    expect(list.find('acme', token(over)) !== undefined).toBe(isRevoked);
  });

  test('of two times for one subject the later counts, whichever stands first', async () => {
    for (const times of [
      [500, 1001],
      [1001, 500],
    ]) {
      const list = await listOf(...times.map((time) => `sub alice before ${time}`));
      expect(list.find('acme', token({ sub: 'alice' }))).toBeDefined();
    }
    const always = await listOf('sub alice', 'sub alice before 1');
    expect(always.find('acme', token({ sub: 'alice' }))).toBeDefined();
  });
});

describe('a list with one line that cannot be read is no list', () => {
  test.each([
    ['jti', 'must be'],
    ['jti one two', 'must be'],
    ['token one', 'must be'],
    ['tenant acme', 'must be'],
    ['jti "one', 'must be'],
    ['jti "a\\q"', 'in quotes'],
    ['jti one before 5', 'goes with sub'],
    ['kid one before 5', 'goes with sub'],
    ['sub alice before yesterday', 'a time is'],
    ['sub alice before 2026-01-31', 'a time is'],
    ['sub alice before -5', 'a time is'],
    ['before 1795334400000', 'a time is'],
    ['before', 'must be'],
    ['before 2026-13-31T12:00:00Z', 'a time is'],
    ['JTI one', 'must be'],
  ])('%s', async (line, words) => {
    const read = await parseRevocations(Buffer.from(`jti good\n${line}\njti fine\n`));
    expect(read).toMatchObject({ kind: 'problem', detail: expect.stringContaining('line 2: ') });
    expect(read).toMatchObject({ detail: expect.stringContaining(words) });
  });

  test('one whose last line was cut short', async () => {
    expect(await parseRevocations(Buffer.from('jti one\njti tw'))).toMatchObject({
      kind: 'problem',
      detail: expect.stringContaining('cut short'),
    });
  });

  test('one that is not UTF-8', async () => {
    expect(await parseRevocations(Uint8Array.of(0x6a, 0xff, 0x0a))).toMatchObject({ kind: 'problem' });
  });

  test('an empty one is a list without entries', async () => {
    expect((await listOf()).entries).toBe(0);
  });
});

test('a table finds exactly the values that were added, with the highest number of each', async () => {
  const value = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('', 'a', 'b', 'aa', '\0', 'é'));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(value, fc.nat(5)), { maxLength: 200 }),
      fc.array(value, { maxLength: 50 }),
      async (added, asked) => {
        const expected = new Map<string, number>();
        const builder = createValueTable({ numbers: true });
        for (const [text, number] of added) {
          builder.add(text, number);
          expected.set(text, Math.max(number, expected.get(text) ?? 0));
        }
        const table = await builder.build();
        expect(table.size).toBe(expected.size);
        for (const text of [...expected.keys(), ...asked]) expect(table.find(text)).toBe(expected.get(text));
      },
    ),
    { numRuns: 200 },
  );
});

test.each([
  ['a value', (size: number) => `jti ${'x'.repeat(size)}\n`],
  ['a quoted value', (size: number) => `jti "${String.raw`\x`.repeat(size / 2)}\n`],
  ['white space', (size: number) => `sub a${' '.repeat(size)}b\n`],
])('%s of 50 MB is refused in no time, and brings nothing down', async (_what, line) => {
  const bytes = Buffer.from(line(50_000_000));
  const cpuBefore = process.cpuUsage();
  expect(await parseRevocations(bytes)).toEqual({ kind: 'problem', detail: 'line 1: longer than 65536 bytes' });
  const { user, system } = process.cpuUsage(cpuBefore);
  expect((user + system) / 1e3).toBeLessThan(500);
});
