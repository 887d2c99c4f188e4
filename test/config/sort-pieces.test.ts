import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sortPieces } from '../../src/config/sort-pieces.ts';
import { inOneGo } from '../support/in-one-go.ts';

test('sorts as toSorted does, and yields all along', () => {
  const lists = fc.array(fc.string({ maxLength: 3 }), { maxLength: 9_000, size: 'max' });
  fc.assert(
    fc.property(lists, (list) => {
      const items = list.map((key, index) => ({ key, index }));
      const before = structuredClone(items);
      let pieces = 0;
      const sorting = sortPieces(items, ({ key }) => key);
      const counted = (function* () {
        for (;;) {
          const piece = sorting.next();
          if (piece.done === true) return piece.value;
          pieces++;
          yield;
        }
      })();
      expect(inOneGo(counted)).toEqual(items.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)));
      expect(items).toEqual(before);
      expect(pieces).toBeGreaterThanOrEqual(Math.floor(list.length / 1_000));
    }),
    { numRuns: 30 },
  );
});
