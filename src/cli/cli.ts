import { CommanderError } from 'commander';
import { exitCodes } from './exit-codes.ts';
import { createProgram } from './program.ts';
import type { HeldSignals } from './signals.ts';

/** Runs one verb and resolves with its exit code. */
export async function cli(args: readonly string[], signals: HeldSignals | undefined): Promise<number> {
  let code: number = exitCodes.ok;
  const program = createProgram((exitCode) => {
    code = exitCode;
  }, signals);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    throw error;
  }
}
