import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createSecondSight } from '../../src/state/second-sight.ts';

test('what comes the second time was seen, whatever came between', () => {
  const { wasSeen } = createSecondSight(1_000);
  // The same each time: how many share a place is then no matter of luck.
  const some = Array.from({ length: 100 }, (_, index) => createHash('sha512').update(`${index}`).digest());
  expect(some.filter(wasSeen)).toHaveLength(0);
  expect(some.filter(wasSeen)).toHaveLength(100);
});

test('those that take turns are all seen, however many of them share a place', () => {
  for (const count of [4, 64, 1_000]) {
    const { wasSeen } = createSecondSight(count);
    let unseen = Array.from({ length: 1.25 * count }, (_, index) => createHash('sha512').update(`${index}`).digest());
    let turns = 0;
    // Who was seen is known elsewhere from then on, and does not ask again.
    for (; unseen.length > 0 && turns < 100; turns++) unseen = unseen.filter((one) => !wasSeen(one));
    expect(unseen, `of ${count}, after ${turns} turns`).toHaveLength(0);
  }
});

test('nothing is taken for another: of thousands that come once, none was seen', () => {
  const { wasSeen } = createSecondSight(1_000);
  for (let i = 0; i < 20_000; i++) expect(wasSeen(randomBytes(32))).toBe(false);
});

test('what is too short to tell apart was never seen', () => {
  const { wasSeen } = createSecondSight(10);
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(7)]) {
    expect(wasSeen(bytes)).toBe(false);
    expect(wasSeen(bytes)).toBe(false);
  }
  expect(wasSeen(Buffer.alloc(8))).toBe(false);
  expect(wasSeen(Buffer.alloc(8))).toBe(true);
});

test('what differs in one byte alone, wherever that is, was not seen', () => {
  const { wasSeen } = createSecondSight(1_000);
  const bytes = randomBytes(256);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = (bytes[i] as number) ^ 1;
    expect(wasSeen(bytes)).toBe(false);
  }
});

test('where only the last bytes count, what is verified and new is still told apart', () => {
  const { wasSeen } = createSecondSight(1_000, { lastBytes: 16 });
  const bytes = randomBytes(256);
  expect(wasSeen(bytes)).toBe(false);
  for (let i = 240; i < 256; i++) {
    const other = Buffer.from(bytes);
    other[i] = (other[i] as number) ^ 1;
    expect(wasSeen(other), `byte ${i}`).toBe(false);
  }
  expect(wasSeen(bytes)).toBe(true);
  for (let i = 0; i < 20_000; i++) expect(wasSeen(randomBytes(256))).toBe(false);
});
