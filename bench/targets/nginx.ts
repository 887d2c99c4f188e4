import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cipherSuite } from '../certificate.ts';
import { findExecutable } from '../machine.ts';
import { findFreePorts } from '../ports.ts';
import { type RunningProcess, startProcess, waitForPort } from '../processes.ts';
import { algorithms } from '../tokens.ts';
import type { Bench, RunningTarget, Target, Transport } from './target.ts';

/** nginx forwarding everything unread: what proxying alone costs in C. */
export const nginx: Target = {
  name: 'nginx',
  work: 'forwards everything, verifies nothing, no access log',
  verifies: algorithms,
  guards: false,
  checksExpiry: false,
  subjectHeader: undefined,
  compilesAsItRuns: false,
  speaksTls: true,
  findObstacle: () => (findExecutable('nginx') === undefined ? 'not installed' : undefined),
  start: startNginxProxy,
};

async function startNginxProxy(bench: Bench, transport: Transport = 'tcp'): Promise<RunningTarget> {
  const [port = 0] = await findFreePorts(1);
  const server = `
  upstream service { server 127.0.0.1:${bench.upstreamPort}; keepalive 128; }
  server {
    listen 127.0.0.1:${port}${transport === 'tls' ? ' ssl http2' : ''} backlog=4096;
    ${transport === 'tls' ? tlsSettings(bench) : ''}
    location / {
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_max_temp_file_size 0;
      client_body_buffer_size 64k;
      # With the default buffers of 4 KiB a large answer costs it twice as much.
      proxy_buffer_size 16k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;
    }
  }`;
  const begin = performance.now();
  const running = startNginx(`nginx-proxy-${transport}`, server, bench.directory, bench.cores?.proxy);
  await waitForPort(port, running);
  return {
    target: nginx,
    pid: running.pid,
    startMs: performance.now() - begin,
    port: () => port,
    stop: () => running.stop(),
  };
}

function tlsSettings({ certificate: { certFile, keyFile } }: Bench): string {
  return `ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites ${cipherSuite};`;
}

/**
 * One process (a worker would outlive a master that is killed), connections kept for good, logs off; `servers` is the
 * text inside `http {}`.
 */
export function startNginx(
  name: string,
  servers: string,
  directory: string,
  cores: string | undefined,
): RunningProcess {
  const configFile = join(directory, `${name}.conf`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    configFile,
    // Workers of a nginx started by root drop to a user that may not read our scratch directory.
    `${process.getuid?.() === 0 ? 'user root; ' : ''}daemon off; master_process off; pid ${join(directory, `${name}.pid`)};
error_log ${join(directory, `${name}.err`)} warn;
worker_rlimit_nofile 20000;
events { worker_connections 19000; }
http {
  access_log off; sendfile on; tcp_nodelay on;
  keepalive_timeout 600s; keepalive_requests 1000000000;
  ${temporary.map((use) => `${use}_temp_path ${join(directory, `${name}-${use}`)};`).join(' ')}
  ${servers}
}
`,
  );
  const args = ['-c', configFile, '-e', join(directory, `${name}.err`)];
  return startProcess({ command: findExecutable('nginx') as string, args, cores });
}
