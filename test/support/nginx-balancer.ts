import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import type { BackendServer } from './haproxy.ts';
import { newFolder } from './scratch-folder.ts';
import { until } from './until.ts';

/** Is nginx installed here? (Debian: nginx) */
export const hasNginx = spawnSync('nginx', ['-v']).status === 0;

export interface NginxBalancer {
  readonly port: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A real nginx in front of these servers, set up as docs/scaling.md says. It asks nobody how they are: that one has
 * stopped it learns from a connection that is refused or closed, that one has no Redis yet from a 503, and then tries
 * another where the method may be repeated. Without `max_fails=0` it would soon take all of them for dead.
 */
export async function startNginx(servers: readonly BackendServer[]): Promise<NginxBalancer> {
  const folder = newFolder();
  const port = await freePort();
  const path = join(folder, 'nginx.conf');
  writeFileSync(path, configText(folder, port, servers));
  const child = spawn('nginx', ['-e', 'stderr', '-p', folder, '-c', path], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until('nginx listens', async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended:\n${said}`);
    return await accepts(port);
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

const configText = (folder: string, port: number, servers: readonly BackendServer[]) => `
daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
events {}
http {
  access_log off;
  ${temporary.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(' ')}
  upstream replicas {
${servers.map(({ proxyPort }) => `    server 127.0.0.1:${proxyPort} max_fails=0;`).join('\n')}
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_next_upstream error http_503;
    }
  }
}
`;

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end());
    socket.on('error', () => resolve(false));
    socket.on('close', (hadError) => resolve(!hadError));
  });
}
