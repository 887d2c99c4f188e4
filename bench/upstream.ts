import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findExecutable } from './machine.ts';
import { findFreePorts } from './ports.ts';
import { type RunningProcess, startProcess, waitForPort } from './processes.ts';
import { startNginx } from './targets/nginx.ts';

export interface UpstreamServer {
  readonly port: number;
  readonly pid: number;
  readonly program: 'nginx' | 'built-in';
  stop(): Promise<void>;
}

/** The headers that `…/echo` shows, as lines "name=value": what check-target.ts looks at. */
export const echoedHeaders = [
  'authorization',
  'host',
  'connection',
  'x-jwt-subject',
  'x-jwt-tenant',
  'x-user-email',
  'x-request-source',
] as const;

export const smallBody = 'k'.repeat(1024);
export const largeBodyBytes = 1024 * 1024;

/** The service behind every proxy: 1 KiB on any path, 1 MiB on …/large, the headers it got on …/echo. */
export async function startUpstream(directory: string, cores: string | undefined): Promise<UpstreamServer> {
  const [port = 0] = await findFreePorts(1);
  const program = findExecutable('nginx') === undefined ? 'built-in' : 'nginx';
  const running = program === 'nginx' ? startNginxUpstream(port, directory, cores) : startBuiltIn(port, cores);
  await waitForPort(port, running);
  return { port, pid: running.pid, program, stop: () => running.stop() };
}

function startNginxUpstream(port: number, directory: string, cores: string | undefined): RunningProcess {
  writeFileSync(join(directory, 'large'), Buffer.alloc(largeBodyBytes, 'l'));
  const echo = echoedHeaders.map((name) => `${name}=$http_${name.replaceAll('-', '_')}`).join('\\n');
  const server = `
  server {
    listen 127.0.0.1:${port} backlog=4096;
    default_type text/plain;
    location / { return 200 "${smallBody}"; }
    location ~ /echo$ { return 200 "${echo}"; }
    location ~ /large$ { root ${directory}; try_files /large =404; }
  }`;
  return startNginx('nginx-upstream', server, directory, cores);
}

function startBuiltIn(port: number, cores: string | undefined): RunningProcess {
  const file = join(import.meta.dirname, 'built-in-upstream.ts');
  return startProcess({ command: process.execPath, args: [file, String(port)], cores });
}
