import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { newFolder } from './scratch-folder.ts';
import { until } from './until.ts';

/** Is HAProxy installed here? (Debian: haproxy) */
export const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0;

export interface Haproxy {
  readonly port: number;
  /** UP, DOWN or what else HAProxy says of a server; it asks each server's /readyz. */
  state(server: string): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface BackendServer {
  readonly name: string;
  readonly proxyPort: number;
  readonly opsPort: number;
}

/**
 * A real HAProxy in front of these servers. It never tries a request twice, keeps connections to the servers and gives
 * any of them to any client, and believes one answer of /readyz: whatever a server does wrong reaches a client.
 */
export async function startHaproxy(servers: readonly BackendServer[], checkEveryMs: number): Promise<Haproxy> {
  const folder = newFolder();
  const port = await freePort();
  const control = join(folder, 'control.sock');
  const configPath = join(folder, 'haproxy.cfg');
  writeFileSync(configPath, configText(port, control, servers, checkEveryMs));
  const child = spawn('haproxy', ['-db', '-f', configPath], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const state = async (server: string) => {
    const rows = (await say(control, 'show stat')).split('\n').map((row) => row.split(','));
    const statusColumn = rows[0]?.indexOf('status') ?? -1;
    return rows.find(([, name]) => name === server)?.[statusColumn] ?? '';
  };
  await until('HAProxy answers', async () => {
    if (child.exitCode !== null) throw new Error(`HAProxy ended:\n${said}`);
    return (await say(control, 'show info')) !== '';
  });
  return {
    port,
    state,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const configText = (port: number, control: string, servers: readonly BackendServer[], checkEveryMs: number) => `
global
  stats socket ${control} mode 600 level admin
  no strict-limits
  maxconn 1000

defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout check 2s
  retries 0
  http-reuse always

frontend clients
  bind 127.0.0.1:${port}
  default_backend replicas

backend replicas
  balance roundrobin
  option httpchk GET /readyz
  http-check expect status 200
  default-server inter ${checkEveryMs}ms fall 1 rise 1
${servers.map(({ name, proxyPort, opsPort }) => `  server ${name} 127.0.0.1:${proxyPort} check port ${opsPort}`).join('\n')}
`;

/** One command to HAProxy's control socket; nothing where it is not there yet. */
function say(control: string, command: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(control, () => socket.end(`${command}\n`));
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', () => resolve(''));
    socket.on('close', () => resolve(answer));
  });
}
