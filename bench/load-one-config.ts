import { diskDeps } from '../src/config/deps.ts';
import { loadConfig } from '../src/config/load.ts';

/** Child of config-load.ts, with --expose-gc: loads one config in a clean process and prints what it took. */

const file = process.argv[2] as string;
const collectGarbage = globalThis.gc ?? (() => {});

collectGarbage();
const heapBefore = process.memoryUsage().heapUsed;
const begin = performance.now();
const loaded = await loadConfig(file, diskDeps(process.env));
const loadMs = performance.now() - begin;
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems[0]));
collectGarbage();
const heapBytes = process.memoryUsage().heapUsed - heapBefore;
process.stdout.write(`${JSON.stringify({ loadMs, heapBytes, rssBytes: process.memoryUsage().rss })}\n`);
// What was loaded must still be there when memory is read.
process.exitCode = loaded.ok ? 0 : 1;
