import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createHandover } from '../../../src/server/workers/handover.ts';

/** Three clients that were handed to a worker whose scoreboard shows this when it has ended. */
function threeHandedOver(scoreboard: { last: () => number | undefined; close: () => void } | undefined) {
  const told: unknown[] = [];
  const handover = createHandover({ tell: (_name: string, ask: unknown) => void told.push(ask) }, scoreboard);
  const sockets = [new Socket(), new Socket(), new Socket()];
  const returned: number[] = [];
  for (const [index, socket] of sockets.entries()) handover.hand('listen', socket, () => returned.push(index));
  const closed = () => sockets.flatMap(({ destroyed }, index) => (destroyed ? [index] : []));
  return { handover, told, returned, closed };
}

test('a client is kept until the worker says that it has taken it, and is closed here then', () => {
  const { handover, told, returned, closed } = threeHandedOver(undefined);
  expect(told).toEqual([1, 2, 3].map((id) => ({ listener: 'listen', id })));
  handover.onTaken(0);
  expect(closed()).toEqual([]);
  handover.onTaken(2);
  expect(closed()).toEqual([0, 1]);
  handover.onTaken(2);
  expect([returned, closed()]).toEqual([[], [0, 1]]);
});

test('at the worker’s end those come back, in order, whom it had not taken; the others are cut off, whatever it said last', () => {
  let isClosed = false;
  const close = () => {
    isClosed = true;
  };
  const { handover, returned, closed } = threeHandedOver({ last: () => 1, close });
  handover.end();
  expect([returned, closed(), isClosed]).toEqual([[1, 2], [0], true]);
});

test.for([
  ['there was no scoreboard', undefined],
  ['the scoreboard can’t be read', { last: () => undefined, close: () => undefined }],
] as const)('where %s nobody comes back: who knows what the worker had read', ([, scoreboard]) => {
  const { handover, returned, closed } = threeHandedOver(scoreboard);
  handover.end();
  expect([returned, closed()]).toEqual([[], [0, 1, 2]]);
});
