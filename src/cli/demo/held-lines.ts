import type { LineWriter } from '../../ops/line-writer.ts';

/** A writer that keeps its lines back until `release`, so that the page stands above the log. */
export function holdLines(writer: LineWriter): { readonly writer: LineWriter; release(): void } {
  let held: string[] | undefined = [];
  const release = () => {
    for (const line of held ?? []) writer.write(line);
    held = undefined;
  };
  return {
    writer: {
      write: (line) => (held === undefined ? writer.write(line) : void held.push(line)),
      get droppedLines() {
        return writer.droppedLines;
      },
      close(deadlineMs) {
        release();
        return writer.close(deadlineMs);
      },
    },
    release,
  };
}
