import { redactTokens } from './printable.ts';

/** An error without what it may have been told: text that looks like a token is cut out, properties are left out. */
export function describeError(error: unknown): { error: string; code: string | undefined; stack: readonly string[] } {
  if (!(error instanceof Error)) return { error: typeof error, code: undefined, stack: [] };
  const { code } = error as NodeJS.ErrnoException;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^ +at /.test(line));
  return {
    error: redactTokens(`${error.name}: ${error.message}`),
    code: typeof code === 'string' ? code : undefined,
    stack: frames.slice(0, 10).map((line) => line.trim()),
  };
}
