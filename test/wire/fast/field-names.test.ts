import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fieldName } from '../../../src/wire/fast/field-names.ts';

const tokenChars = "!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz".split('');
const token = fc.string({ unit: fc.constantFrom(...tokenChars), minLength: 1, maxLength: 80 });

test('a name is read letter by letter as it was sent, whichever came before it', () => {
  const property = fc.property(fc.array(token, { minLength: 1, maxLength: 40 }), fc.nat(7), (names, shift) => {
    for (const name of names) {
      for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) {
        const bytes = Buffer.from(`${' '.repeat(shift)}${spelling}:`, 'latin1');
        expect(fieldName(bytes, shift, bytes.length - 1)).toBe(spelling);
      }
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test('made-up names without end neither change a usual one nor each other', () => {
  const usual = ['Host', 'host', 'X-User-Id', 'x_user_id', '__proto__', 'constructor', '17'];
  const read = (name: string) => fieldName(Buffer.from(name, 'latin1'), 0, name.length);
  for (let i = 0; i < 20_000; i++) {
    const made = `x-${i.toString(36)}`;
    expect(read(made)).toBe(made);
  }
  expect(usual.map(read)).toEqual(usual);
});
