import { holdSignals, ignoreSignals } from './cli/signals.ts';
import { workerVerb } from './server/workers/worker-verb.ts';

// Before anything else is loaded; other verbs may be ended by any signal.
const verb = process.argv.slice(2).find((argument) => !argument.startsWith('-'));
const signals = verb === 'run' ? holdSignals() : undefined;
// What is sent to all processes of a group or a container is the primary's to obey.
if (verb === workerVerb) ignoreSignals();

// Buffers of a few hundred bytes, as the parts of a token are, share a slab. One of 64 KiB, Node's default, lasts for long
// enough to be moved to the old generation: under a flood of made-up tokens that was 7 MB a second.
Buffer.poolSize = 8 * 1024;

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
