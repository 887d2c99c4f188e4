import { writeFile } from 'node:fs/promises';
import { type Agent, request } from 'node:http';
import { join } from 'node:path';
import { type JwtgateProcess, type StartOptions, startJwtgate } from './jwtgate-process.ts';
import { newFolder } from './scratch-folder.ts';
import { mintHs256 } from './tokens.ts';

/** A tenant's HS256 secret in these tests' configs. */
export function secretOf(tenant: string): string {
  return `secret-of-${tenant}-${'x'.repeat(32)}`;
}

/** A good token of a tenant, an hour long. */
export function tokenOf(tenant: string, claims: Record<string, unknown> = {}): string {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  return mintHs256(secretOf(tenant), { claims: { sub: `user-of-${tenant}`, exp, ...claims } });
}

export interface ConfigOptions {
  readonly upstreamPort: number;
  /** Each is recognised by its first path segment. */
  readonly tenants: readonly string[];
  /** Top-level lines in front. */
  readonly more?: string;
}

/** A whole config on free loopback ports. */
export function configText({ upstreamPort, tenants, more = '' }: ConfigOptions): string {
  return [
    'listen: 127.0.0.1:0',
    'ops: 127.0.0.1:0',
    `upstream: http://127.0.0.1:${upstreamPort}`,
    more,
    'tenants:',
    ...tenants.map(tenantText),
    '',
  ].join('\n');
}

export function tenantText(id: string): string {
  return `  ${id}: {match: {path: /${id}/**}, secret: ${secretOf(id)}, algorithms: [HS256]}`;
}

export interface RunningGate {
  readonly process: JwtgateProcess;
  readonly proxyPort: number;
  readonly opsPort: number;
  /** NaN with `admin: off`. */
  readonly adminPort: number;
  readonly configPath: string;
  rewrite(text: string): Promise<void>;
  ops(path: string): Promise<Reply>;
  /** One request through the gate, on a connection of its own unless an agent is given. */
  send(path: string, options?: SendOptions): Promise<Reply>;
}

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export interface SendOptions {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Keeps connections; without it each request has its own. */
  readonly agent?: Agent;
}

/** What holds for one process has to hold for several: $WORKERS says how many a config gets that does not say. */
function withWorkers(text: string): string {
  const { WORKERS } = process.env;
  return WORKERS === undefined || /^workers:/m.test(text) ? text : `${text.trimEnd()}\nworkers: ${WORKERS}\n`;
}

/** Starts `jwtgate run` on this config and waits until it serves. */
export async function runGate(
  text: string,
  options: StartOptions & {
    readonly args?: readonly string[];
    readonly folder?: string;
  } = {},
): Promise<RunningGate> {
  const configPath = join(options.folder ?? newFolder(), 'config.yaml');
  await writeFile(configPath, withWorkers(text));
  const process = startJwtgate(['run', '--config', configPath, ...(options.args ?? [])], options);
  const started = await process.logged('started');
  const proxyPort = portOf(started.proxy);
  const opsPort = portOf(started.ops);
  const adminPort = portOf(started.admin);
  return {
    process,
    proxyPort,
    opsPort,
    adminPort,
    configPath,
    rewrite: (next) => writeFile(configPath, withWorkers(next)),
    ops: (path) => ask(opsPort, path, {}),
    send: (path, { token, headers = {}, agent } = {}) =>
      ask(proxyPort, path, { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers }, agent),
  };
}

/** A GET; rejects when the connection fails before the whole answer is there. */
export function ask(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  agent: Agent | false = false,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers, agent }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on('error', reject)
      .end();
  });
}

function portOf(address: unknown): number {
  return Number(String(address).split(':').at(-1));
}
