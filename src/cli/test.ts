import { resolve } from 'node:path';
import { diskDeps } from '../config/deps.ts';
import { formatProblems, problemsToJson } from '../config/format-problems.ts';
import type { Problem } from '../config/problem.ts';
import { formatResults, hasPassed } from '../fixtures/format-results.ts';
import { junitXml, type TestedFile } from '../fixtures/junit.ts';
import { readFixtures } from '../fixtures/read-fixtures.ts';
import { runFixtures } from '../fixtures/run-fixtures.ts';
import { exitCodes } from './exit-codes.ts';
import { nameNear } from './explain/name-near.ts';
import type { TokenIo } from './token-io.ts';
import { printableJson } from './token-json.ts';
import { wantsColor } from './wants-color.ts';

export interface TestOptions {
  /** Instead of what the files of tests say. */
  readonly config?: string;
  /** Only tests with this in their name. */
  readonly run?: string;
  readonly json?: true;
  readonly junit?: true;
}

const usualFile = 'jwtgate.test.yaml';

/** Runs tests of configs: 0 where all pass, 1 where one does not, 2 where there is none to run, 78 where a file has problems. */
export async function testConfigs(names: readonly string[], options: TestOptions, io: TokenIo): Promise<number> {
  if (options.json && options.junit) {
    io.stderr('jwtgate: give one of --json and --junit\n');
    return exitCodes.usage;
  }
  const files = (names.length === 0 ? [usualFile] : names).map((name) => resolve(name));
  const tested: TestedFile[] = [];
  const problems: Problem[] = [];
  for (const file of files) {
    const outcome = await testFile(file, options, io.env);
    if (outcome.ok) tested.push({ file: nameNear(file), results: outcome.results });
    else problems.push(...outcome.problems);
  }
  const results = tested.flatMap((one) => one.results);
  if (options.json) io.stdout(`${jsonReport(tested, problems)}\n`);
  else {
    io.stderr(formatProblems(problems, { color: wantsColor(process.stderr) }));
    if (options.junit) io.stdout(junitXml(tested));
    else io.stdout(textReport(tested));
  }
  if (problems.length > 0) return exitCodes.config;
  if (results.length === 0) {
    io.stderr(`jwtgate: no test has ${JSON.stringify(options.run)} in its name\n`);
    return exitCodes.usage;
  }
  return results.every(hasPassed) ? exitCodes.ok : exitCodes.no;
}

async function testFile(file: string, { config, run }: TestOptions, env: NodeJS.ProcessEnv) {
  const fixtures = await readFixtures(file, diskDeps({}).readFile);
  if (!fixtures.ok) return fixtures;
  const tests = fixtures.tests.filter(({ name }) => run === undefined || name.includes(run));
  const configPath = config === undefined ? fixtures.configPath : resolve(config);
  return runFixtures({ ...fixtures, configPath }, tests, env);
}

function textReport(tested: readonly TestedFile[]): string {
  const options = { color: wantsColor(process.stdout), nameOf: nameNear };
  return tested
    .map(({ file, results }) => `${tested.length > 1 ? `${file}\n` : ''}${formatResults(results, options)}`)
    .join('\n');
}

function jsonReport(tested: readonly TestedFile[], problems: readonly Problem[]): string {
  const tests = tested.flatMap(({ file, results }) =>
    results.map((result) => {
      const { fixture, differences, problem, ladder } = result;
      const { line, column } = fixture.place;
      return { file, line, column, name: fixture.name, passed: hasPassed(result), problem, differences, ladder };
    }),
  );
  const passed = tests.filter((one) => one.passed).length;
  return printableJson({ passed, failed: tests.length - passed, tests, problems: problemsToJson(problems) });
}
