import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { newFolder } from './scratch-folder.ts';
import { until } from './until.ts';

/** Other people's proxies as processes, with the configs that docs/verify.md shows. */
export type FrontProgram = 'nginx' | 'caddy' | 'haproxy';

const versionFlags: Readonly<Record<FrontProgram, string>> = { nginx: '-v', caddy: 'version', haproxy: '-v' };

/** Is it installed here? (Debian: nginx, caddy, haproxy) */
export function hasFront(program: FrontProgram): boolean {
  return spawnSync(program, [versionFlags[program]]).status === 0;
}

export interface FrontProcess {
  readonly port: number;
  readonly process: ChildProcess;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface FrontPorts {
  readonly front: number;
  readonly verify: number;
  readonly app: number;
}

const page = readFileSync(resolve(import.meta.dirname, '../../docs/verify.md'), 'utf8');

/** The page's block of this language, with the test's addresses in place of those that it shows. */
function shown(language: string, ports: FrontPorts): string {
  const [, text] = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(page) ?? [];
  if (text === undefined) throw new Error(`docs/verify.md shows no ${language}`);
  return text
    .replace('listen 8080;', `listen 127.0.0.1:${ports.front};`)
    .replace('bind :8080', `bind 127.0.0.1:${ports.front}`)
    .replace(/^:8080 \{/m, `http://:${ports.front} {\n\tbind 127.0.0.1`)
    .replaceAll('127.0.0.1:9903', `127.0.0.1:${ports.verify}`)
    .replaceAll('127.0.0.1:3000', `127.0.0.1:${ports.app}`);
}

/** Starts it on the page's config, changed by `change`, and waits until it listens. */
export async function startFront(
  program: FrontProgram,
  ports: FrontPorts,
  change: (text: string) => string = (text) => text,
): Promise<FrontProcess> {
  const folder = newFolder();
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const child = start(program, ports, change, folder, write);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const ended = once(child, 'exit');
  await until(`${program} listens`, async () => {
    if (child.exitCode !== null) throw new Error(`${program} ended:\n${said}`);
    return await connects(ports.front);
  });
  return {
    port: ports.front,
    process: child,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function start(
  program: FrontProgram,
  ports: FrontPorts,
  change: (text: string) => string,
  folder: string,
  write: (name: string, text: string) => string,
): ChildProcess {
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  switch (program) {
    case 'nginx': {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (use) => `${use}_temp_path ${folder};`,
      );
      const server = change(shown('nginx', ports));
      const path = write(
        'nginx.conf',
        `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
events {}
http { access_log off; ${temporary.join(' ')} ${server} }`,
      );
      return spawn('nginx', ['-e', 'stderr', '-p', folder, '-c', path], { stdio });
    }
    case 'caddy': {
      const path = write('Caddyfile', `{\n\tadmin off\n\tauto_https off\n}\n${change(shown('caddyfile', ports))}`);
      const env = { PATH: process.env.PATH, HOME: folder };
      return spawn('caddy', ['run', '--config', path, '--adapter', 'caddyfile'], { stdio, env });
    }
    case 'haproxy': {
      const lua = write('jwtgate.lua', shown('lua', ports));
      const path = write('haproxy.cfg', change(shown('haproxy', ports)).replace('/etc/haproxy/jwtgate.lua', lua));
      return spawn('haproxy', ['-db', '-f', path], { stdio });
    }
  }
}

async function connects(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
