import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { createLineWriter } from '../../src/ops/line-writer.ts';

/** A reader under the test's control: takes a chunk only when told to. */
function slowStream() {
  const chunks: string[] = [];
  let finishWrite: ((error?: Error) => void) | undefined;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const at = chunks.push(chunk.toString('latin1')) - 1;
      finishWrite = (error) => {
        // What is being written stays as it is until it has been.
        expect(chunk.toString('latin1')).toBe(chunks[at]);
        done(error);
      };
    },
  });
  return {
    stream,
    chunks,
    take: (error?: Error) => {
      const done = finishWrite;
      finishWrite = undefined;
      done?.(error);
    },
    written: async () => {
      while (finishWrite === undefined) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('the first line goes out at once, those that follow closely go together and in order', async () => {
  const reader = slowStream();
  const writer = createLineWriter(reader.stream, { gatherMs: 1 });
  for (const line of ['one', 'two', 'three']) writer.write(line);
  expect(reader.chunks).toEqual(['one\n']);
  reader.take();
  await reader.written();
  expect(reader.chunks).toEqual(['one\n', 'two\nthree\n']);
});

test('a reader that does not read costs lines, never memory: what is dropped is counted', async () => {
  const reader = slowStream();
  const writer = createLineWriter(reader.stream, { gatherBytes: 100, maxBufferedBytes: 1_000 });
  for (let i = 0; i < 1_000; i++) writer.write('x'.repeat(49));
  // One chunk is in the stream, the rest waits, and together they are no more than the bound.
  expect(reader.chunks.join('').length).toBe(50);
  expect(writer.droppedLines).toBe(1_000 - 20);
  reader.take();
  await reader.written();
  expect(reader.chunks.join('').length).toBe(1_000);
});

test('what a reader gets is what was written, however long it takes to read and however much comes meanwhile', async () => {
  const reader = slowStream();
  const writer = createLineWriter(reader.stream, { gatherMs: 1, gatherBytes: 64 });
  const lines = Array.from({ length: 200 }, (_, i) => `${i}:${'x'.repeat(i)}`);
  for (const line of lines) {
    writer.write(line);
    if (line.length % 7 === 0) {
      await reader.written();
      reader.take();
    }
  }
  const closed = writer.close(10_000);
  let isClosed = false;
  void closed.then(() => {
    isClosed = true;
  });
  while (!isClosed) {
    reader.take();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(reader.chunks.join('')).toBe(`${lines.join('\n')}\n`);
  expect(writer.droppedLines).toBe(0);
});

test('a reader that went away (EPIPE) ends the log and nothing else', async () => {
  const reader = slowStream();
  const writer = createLineWriter(reader.stream, { gatherMs: 1 });
  writer.write('one');
  await reader.written();
  writer.write('two');
  reader.take(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  await new Promise((resolve) => setImmediate(resolve));
  writer.write('three');
  expect(writer.droppedLines).toBe(2);
  await writer.close(10_000);
});

test('closing writes what is left', async () => {
  const reader = slowStream();
  const writer = createLineWriter(reader.stream, { gatherMs: 60_000, gatherBytes: 1_000 });
  writer.write('one');
  const closed = writer.close(10_000);
  await reader.written();
  reader.take();
  await closed;
  expect(reader.chunks).toEqual(['one\n']);
});

test('closing waits for a reader no longer than it was told', async () => {
  const reader = slowStream();
  const writer = createLineWriter(reader.stream, {});
  writer.write('one');
  await writer.close(5);
  writer.write('two');
  expect(writer.droppedLines).toBe(1);
});
