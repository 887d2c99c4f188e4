import { exitCodes } from './exit-codes.ts';

/** Prints a JSON Schema (draft-07), for editors: of the config, or of a file of tests for one. */
export async function printSchema(what: 'config' | 'tests'): Promise<number> {
  process.stdout.write(await (what === 'tests' ? testsSchema() : configSchema()));
  return exitCodes.ok;
}

async function configSchema(): Promise<string> {
  const { configSchemaText } = await import('../config/schema.ts');
  return configSchemaText();
}

async function testsSchema(): Promise<string> {
  const { fixtureSchemaText } = await import('../fixtures/schema.ts');
  return fixtureSchemaText();
}
