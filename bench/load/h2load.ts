import { readFileSync } from 'node:fs';
import { findExecutable } from '../machine.ts';
import { http2Streams, type LoadResult, type LoadSpec } from './load.ts';

/** nghttp2's load program (Debian: nghttp2-client). It sends one token again and again. */
export function h2loadCommand(spec: LoadSpec): { command: string; args: string[] } | undefined {
  const command = findExecutable('h2load');
  if (command === undefined) return undefined;
  const [token = ''] = readFileSync(spec.credentials.poolFile, 'latin1').split('\n', 1);
  const seconds = String(Math.max(1, Math.ceil(spec.durationMs / 1000)));
  const args = ['-t1', `-c${spec.connections}`, `-m${http2Streams}`, '-D', seconds];
  return {
    command,
    args: [...args, '-H', `authorization: Bearer ${token}`, `https://127.0.0.1:${spec.port}${spec.path}`],
  };
}

/** Undefined where it says nothing of requests. Its times are in the unit that fits, and have no percentiles. */
export function readH2load(output: string, spec: LoadSpec): LoadResult | undefined {
  const finished = /finished in ([\d.]+)(m?s), /.exec(output);
  const requests = /(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(output);
  const statuses = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(output);
  if (finished === null || requests === null || statuses === null) return undefined;
  const [, , , failed = 0, , timedOut = 0] = requests.map(Number);
  const answered = statuses.slice(1).map(Number);
  const refused = (answered[2] ?? 0) + (answered[3] ?? 0);
  return {
    requests: answered.reduce((sum, count) => sum + count, 0),
    durationMs: Number(finished[1]) * (finished[2] === 's' ? 1_000 : 1) || spec.durationMs,
    p50Ms: Number.NaN,
    p99Ms: Number.NaN,
    refused,
    // Those that were under way at its end are "failed" as well: at most as many as there are at a time.
    socketErrors: timedOut + Math.max(0, failed - refused - spec.connections * http2Streams),
  };
}
