import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePorts } from '../ports.ts';
import { startProcess, waitForPort } from '../processes.ts';
import { algorithms, audience, type Credentials, issuer } from '../tokens.ts';
import type { Bench, RunningTarget, Target, Transport } from './target.ts';

const root = join(import.meta.dirname, '../..');
const executable = join(root, 'dist/jwtgate');

export interface JwtgateOptions {
  /** Further tenants beside the four that are measured. */
  readonly extraTenants: number;
  /** Flags for Node, e.g. --cpu-prof; they force a start from source. */
  readonly nodeFlags: readonly string[];
}

/** How users run it: the built executable, or the source where it isn't built. */
export function describeJwtgateCommand(): string {
  return existsSync(executable) ? 'dist/jwtgate run' : 'node src/main.ts run (dist/jwtgate is not built)';
}

/** The program under test, with all of its work on: access log into a pipe that is read, metrics, timeouts. */
export function describeJwtgate(options: JwtgateOptions): Target {
  const target: Target = {
    name: 'jwtgate',
    work: 'all checks, spoofed headers stripped, identity headers set, JSON access log, metrics, timeouts',
    verifies: algorithms,
    guards: true,
    checksExpiry: true,
    subjectHeader: 'x-jwt-subject',
    compilesAsItRuns: true,
    speaksTls: true,
    findObstacle: () =>
      existsSync(executable) || existsSync(join(root, 'src/main.ts')) ? undefined : 'neither built nor in src',
    start: (bench, transport = 'tcp') => startJwtgate(target, bench, options, transport),
  };
  return target;
}

async function startJwtgate(
  target: Target,
  bench: Bench,
  options: JwtgateOptions,
  transport: Transport,
): Promise<RunningTarget> {
  const [port = 0, opsPort = 0] = await findFreePorts(2);
  const configFile = join(bench.directory, `jwtgate-${transport}.yaml`);
  const listen = writeListen(bench, port, transport);
  writeFileSync(configFile, writeConfig(bench, listen, opsPort, options.extraTenants));

  const fromExecutable = existsSync(executable) && options.nodeFlags.length === 0;
  const command = fromExecutable ? executable : process.execPath;
  const args = fromExecutable ? [] : [...options.nodeFlags, join(root, 'src/main.ts')];
  const log = startLogReader(bench);
  const begin = performance.now();
  const running = startProcess({
    command,
    args: [...args, 'run', '-c', configFile],
    cores: bench.cores?.proxy,
    stdout: log.fd,
  });
  closeSync(log.fd);
  try {
    await waitForPort(port, running, 60_000);
  } catch (fault) {
    await log.stop();
    throw fault;
  }
  return {
    target,
    pid: running.pid,
    startMs: performance.now() - begin,
    port: () => port,
    stop: async () => {
      // Before: with the process that writes, what it wrote ends in order.
      const complaint = log.complaint();
      await running.stop();
      await log.stop();
      if (complaint !== undefined) throw new Error(`nobody read the access log: ${complaint}`);
    },
  };
}

let readers = 0;

/** A real pipe (Node's own would be a socket pair) and a `cat` that empties it on the load's core. */
function startLogReader(bench: Bench): { fd: number; complaint(): string | undefined; stop(): Promise<void> } {
  readers += 1;
  const pipe = join(bench.directory, `access-log-${readers}`);
  execFileSync('mkfifo', [pipe]);
  // Opened for reading and writing: neither end has to wait for the other.
  const fd = openSync(pipe, 'r+');
  // Opened anew: Node sets what it writes to non-blocking, and a `cat` that shared that would end at the first pause.
  const readEnd = openSync(pipe, 'r');
  const reader = startProcess({ command: 'cat', args: [], cores: bench.cores?.load, stdin: readEnd });
  closeSync(readEnd);
  return {
    fd,
    /** What it said when it ended; undefined while it reads. */
    complaint: () => (reader.child.exitCode === null ? undefined : reader.complaint()),
    stop: () => reader.stop(),
  };
}

function writeListen({ certificate: { certFile, keyFile } }: Bench, port: number, transport: Transport): string {
  if (transport === 'tcp') return `127.0.0.1:${port}`;
  return `{address: "127.0.0.1:${port}", tls: {cert: ${certFile}, key: {file: ${keyFile}}}}`;
}

function writeConfig(bench: Bench, listen: string, opsPort: number, extraTenants: number): string {
  const tenants = algorithms.map((algorithm) => writeTenant(bench.credentials[algorithm]));
  for (let i = 0; i < extraTenants; i += 1) {
    tenants.push(`  extra${i}: {match: {path: /extra${i}/**}, secret: ${'s'.repeat(32)}${i}, algorithms: [HS256]}`);
  }
  return `listen: ${listen}
upstream: http://127.0.0.1:${bench.upstreamPort}
ops: 127.0.0.1:${opsPort}
timeouts: {idle: 600s}
log: {level: info, format: json, access: true}
tenants:
${tenants.join('\n')}
`;
}

function writeTenant({ algorithm, keyFile }: Credentials): string {
  const kid = `${algorithm.toLowerCase()}-1`;
  const key =
    algorithm === 'HS256' ? `secret: {file: ${keyFile}, kid: ${kid}}` : `keys: [{file: ${keyFile}, kid: ${kid}}]`;
  return `  ${algorithm.toLowerCase()}:
    match: {path: "/${algorithm.toLowerCase()}/**"}
    ${key}
    algorithms: [${algorithm}]
    issuer: ${issuer}
    audience: ${audience}
    headers: {X-Jwt-Subject: "\${claims.sub}", X-Jwt-Tenant: "\${tenant}", X-User-Email: "\${claims.email}"}`;
}
