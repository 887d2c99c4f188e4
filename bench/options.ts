import { parseArgs } from 'node:util';
import { allCases } from './cases/all-cases.ts';
import type { BenchCase, Effort } from './cases/bench-case.ts';
import { type TargetName, targetNames } from './targets/target.ts';

export interface BenchOptions {
  readonly cases: readonly BenchCase[];
  readonly targets: readonly TargetName[];
  readonly rounds: number;
  readonly effort: Effort;
  readonly jsonFile: string | undefined;
  readonly extraTenants: number;
  /** Also measure recognition.ts, which needs no sockets. */
  readonly recognition: boolean;
}

const recognitionName = 'recognition';

const usage = `npm run bench -- [options]
  --only NAME     only cases whose name begins so; may be repeated. Names: ${[...allCases.map((one) => one.name), recognitionName].join(' ')}
  --target NAME   only these targets; may be repeated. Names: ${targetNames.join(' ')}
  --rounds N      how often everything is measured (default 3)
  --quick         shorter measurements: a minute or three instead of ten
  --long          five million requests in the memory case instead of 500,000
  --tenants N     gives jwtgate N further tenants
  --json FILE     writes every single measurement there as well
`;

const normal: Effort = {
  warmMs: 1_000,
  compileMs: 5_000,
  measureMs: 3_000,
  freshShare: 1,
  idleConnections: 10_000,
  longRequests: 500_000,
};
const quick: Effort = { ...normal, compileMs: 3_000, measureMs: 1_000, freshShare: 0.5, longRequests: 100_000 };

/** Options from the command line; a string is what to tell the user instead. */
export function parseOptions(argv: readonly string[]): BenchOptions | string {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(argv);
  } catch (fault) {
    return `${fault instanceof Error ? fault.message : String(fault)}\n\n${usage}`;
  }
  if (values.help === true) return usage;
  const only = values.only ?? [];
  const isWanted = (name: string) => only.length === 0 || only.some((start) => name.startsWith(start));
  const cases = allCases.filter(({ name }) => isWanted(name));
  const recognition = isWanted(recognitionName);
  const targets = targetNames.filter((name) => values.target?.includes(name) ?? true);
  const rounds = Number(values.rounds ?? 3);
  const extraTenants = Number(values.tenants ?? 0);
  if ((cases.length === 0 && !recognition) || targets.length === 0) return `Nothing has this name.\n\n${usage}`;
  if (!Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(extraTenants)) return usage;
  const effort = {
    ...(values.quick === true ? quick : normal),
    ...(values.long === true && { longRequests: 5_000_000 }),
  };
  return { cases, targets, rounds, effort, jsonFile: values.json, extraTenants, recognition };
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', multiple: true },
      target: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      quick: { type: 'boolean' },
      long: { type: 'boolean' },
      tenants: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values;
}
