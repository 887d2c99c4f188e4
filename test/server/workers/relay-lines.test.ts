import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { relayLines } from '../../../src/server/workers/relay-lines.ts';

test('whole lines are passed on, however they arrive; what was begun and never ended is given up', async () => {
  const written: string[] = [];
  const from = new PassThrough();
  const over = relayLines(from, { write: (lines) => void written.push(lines) });
  for (const piece of ['one\ntw', 'o', '\nthree\nfour\nfi', 've']) {
    from.write(piece);
    await new Promise(setImmediate);
  }
  from.destroy();
  await over;
  expect(written).toEqual(['one', 'two\nthree\nfour']);
});
