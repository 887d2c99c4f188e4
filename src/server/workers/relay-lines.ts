import type { Readable } from 'node:stream';
import type { LineWriter } from '../../ops/line-writer.ts';

/**
 * Passes a worker's log lines on, whole ones only, so that the lines of several workers never run into each other. What
 * a worker that was killed had begun to write is given up. Resolves when the worker's side is closed.
 */
export function relayLines(from: Readable, writer: Pick<LineWriter, 'write'>): Promise<void> {
  let begun = '';
  from.setEncoding('latin1');
  from.on('data', (text: string) => {
    const end = text.lastIndexOf('\n');
    if (end === -1) {
      begun += text;
      return;
    }
    writer.write(begun + text.slice(0, end));
    begun = text.slice(end + 1);
  });
  return new Promise((resolve) => {
    from.on('error', () => undefined);
    from.on('close', resolve);
  });
}
