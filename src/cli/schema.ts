import { configSchemaText } from '../config/schema.ts';
import { exitCodes } from './exit-codes.ts';

/** Prints the config's JSON Schema (draft-07), for editors. */
export function printSchema(): number {
  process.stdout.write(configSchemaText());
  return exitCodes.ok;
}
