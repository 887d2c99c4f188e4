import { join } from 'node:path';
import type { PeerOptions } from '../peers/verifier.ts';
import { findFreePorts } from '../ports.ts';
import { startProcess, waitForPort } from '../processes.ts';
import { type Algorithm, algorithms } from '../tokens.ts';
import type { Bench, RunningTarget, Target, TargetName } from './target.ts';

export const httpProxyJose = describePeer('http-proxy+jose', 'http-proxy-jose.ts');
export const httpxyJose = describePeer('httpxy+jose', 'httpxy-jose.ts');

/** The peers that a Node developer would write by hand; see bench/peers. */
function describePeer(name: TargetName, file: string): Target {
  const target: Target = {
    name,
    work: 'jwtVerify on each request (no cache), identity headers set, no access log, no metrics',
    verifies: algorithms,
    guards: true,
    checksExpiry: true,
    subjectHeader: 'x-jwt-subject',
    compilesAsItRuns: true,
    speaksTls: false,
    findObstacle: () => undefined,
    start: (bench) => startPeer(target, file, bench),
  };
  return target;
}

async function startPeer(target: Target, file: string, bench: Bench): Promise<RunningTarget> {
  const [port = 0] = await findFreePorts(1);
  const keyFiles = Object.fromEntries(algorithms.map((name) => [name, bench.credentials[name].keyFile]));
  const options: PeerOptions = {
    port,
    upstreamPort: bench.upstreamPort,
    keyFiles: keyFiles as Record<Algorithm, string>,
  };
  const begin = performance.now();
  const running = startProcess({
    command: process.execPath,
    args: ['--no-warnings', join(import.meta.dirname, '../peers', file), JSON.stringify(options)],
    cores: bench.cores?.proxy,
  });
  await waitForPort(port, running);
  return {
    target,
    pid: running.pid,
    startMs: performance.now() - begin,
    port: () => port,
    stop: () => running.stop(),
  };
}
