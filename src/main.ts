import { holdSignals, ignoreSignals } from './cli/signals.ts';
import { workerVerb } from './server/workers/worker-verb.ts';

// Before anything else is loaded; other verbs may be ended by any signal.
const verb = process.argv.slice(2).find((argument) => !argument.startsWith('-'));
const signals = verb === 'run' ? holdSignals() : undefined;
// What is sent to all processes of a group or a container is the primary's to obey.
if (verb === workerVerb) ignoreSignals();

// A reader that went away (`jwtgate schema | head`) is no fault of ours.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

import('./cli/cli.ts')
  .then(({ cli }) => cli(process.argv.slice(2), signals))
  .then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      process.stderr.write(`jwtgate: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 70;
    },
  );
