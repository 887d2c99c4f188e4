import { expect, test } from 'vitest';
import { rememberMembers } from '../../src/ops/remembered-members.ts';

function counted() {
  let calls = 0;
  const member = rememberMembers((text) => {
    calls++;
    return `,"x":"${text}"`;
  });
  return { member, calls: () => calls };
}

test('a member is made once for each text, and is the same each time', () => {
  const { member, calls } = counted();
  for (const text of ['a', 'b', 'a', 'b']) expect(member(text)).toBe(`,"x":"${text}"`);
  expect(calls()).toBe(2);
});

test('who makes up texts, many or long ones, is served and not remembered', () => {
  const { member, calls } = counted();
  for (let i = 0; i < 1_000; i++) member(`t${i}`);
  for (const text of ['one too many', 'x'.repeat(129)]) {
    expect(member(text)).toBe(`,"x":"${text}"`);
    expect(member(text)).toBe(`,"x":"${text}"`);
  }
  expect(calls()).toBe(1_004);
});
