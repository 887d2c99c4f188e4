import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type InLine, outOfLine, WaitingLine } from '../../src/wire/waiting-line.ts';

interface Somebody extends InLine<Somebody> {
  readonly name: number;
}

const somebody = (name: number): Somebody => ({ ...outOfLine, name });

test('who came first is served first, whoever leaves meanwhile', () => {
  const steps = fc.array(fc.record({ joins: fc.boolean(), who: fc.nat(7) }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (taken) => {
      const line = new WaitingLine<Somebody>();
      const everybody = Array.from({ length: 8 }, (_, name) => somebody(name));
      let expected: number[] = [];
      for (const { joins, who } of taken) {
        const one = everybody[who] as Somebody;
        const wasThere = expected.includes(who);
        if (joins && !wasThere) {
          line.join(one);
          expected.push(who);
        } else if (!joins) {
          expect(line.leave(one)).toBe(wasThere);
          expected = expected.filter((other) => other !== who);
        }
        expect([...line].map(({ name }) => name)).toEqual(expected);
        expect(line.first?.name).toBe(expected[0]);
      }
    }),
  );
});

test('who has left keeps nobody alive that came later', () => {
  const line = new WaitingLine<Somebody>();
  const [one, other] = [somebody(1), somebody(2)];
  line.join(one);
  line.join(other);
  line.leave(one);
  expect(one).toEqual(somebody(1));
  expect(other.ahead).toBeUndefined();
});
