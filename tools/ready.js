// `node tools/ready.js COMMAND ARGS…` makes a fresh clone ready, then runs COMMAND on the pinned Node.
//
// Every npm script starts here, and not in a pre-script: those are skipped under `ignore-scripts`, and a shell that
// once found `node` keeps the old one although the install put the pinned one first on PATH. Plain JavaScript without
// dependencies, because it runs on whatever Node is there before anything is installed.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installWhereNeeded } from './install.js';
import { runtimeEnvironment } from './runtime.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const [command, ...args] = process.argv.slice(2);

async function main() {
  if (command === undefined) return fail('usage: node tools/ready.js COMMAND [ARGS…]');
  const installed = await installWhereNeeded(root);
  if (installed.problem) return fail(installed.problem);
  const runtime = runtimeEnvironment(root, process.env);
  if (runtime.problem) return fail(runtime.problem);
  run(command, args, runtime.env);
}

function run(command, args, env) {
  const child = spawn(command, args, { cwd: root, env, stdio: 'inherit' });
  // A terminal's Ctrl-C reaches the child by itself; what is sent to this process alone is passed on.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`can't run ${command}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function fail(message) {
  console.error(`\njwtgate: ${message}`);
  process.exit(1);
}

main();
