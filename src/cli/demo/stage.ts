import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server as HttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatProblems } from '../../config/format-problems.ts';
import type { LineWriter } from '../../ops/line-writer.ts';
import { createLog, type Log } from '../../ops/log.ts';
import { type Server, startServer } from '../../server.ts';
import { listenProblem } from '../listen-problem.ts';
import { build } from '../version.ts';
import type { Cast } from './cast.ts';
import { type Addresses, acmeSecretVariable, demoConfig } from './config-text.ts';
import { createKeyServer } from './key-server.ts';
import { findFreePort, listenNear, loopback } from './ports.ts';
import { createDemoUpstream, type DemoUpstream } from './upstream.ts';

/** Everything that the demo runs, on loopback alone; `close` ends it and removes its files. */
export interface Stage {
  readonly addresses: Addresses;
  readonly configPath: string;
  readonly upstream: DemoUpstream;
  readonly server: Server;
  close(cause: string): Promise<void>;
}

const usualPorts = { gate: 8080, ops: 9901, upstream: 3000, keyServer: 3001 };

/** Starts upstream, key server and the real gate between them. Throws with a text for people where it can't. */
export async function createStage(cast: Cast, writer: LineWriter): Promise<Stage> {
  const upstream = createDemoUpstream();
  const keyServer = createKeyServer(cast.globexKeys);
  const directory = await mkdtemp(join(tmpdir(), 'jwtgate-demo-'));
  const closeAll = async () => {
    await Promise.all([closeServer(upstream.server), closeServer(keyServer), rm(directory, { recursive: true })]);
  };
  try {
    const address = (port: number) => `${loopback}:${port}`;
    const addresses = {
      upstream: address(await listenNear(upstream.server, usualPorts.upstream)),
      keyServer: address(await listenNear(keyServer, usualPorts.keyServer)),
      gate: address(await findFreePort(usualPorts.gate)),
      ops: address(await findFreePort(usualPorts.ops)),
    };
    const configPath = join(directory, 'config.yaml');
    await writeFile(configPath, demoConfig(cast, addresses), { mode: 0o600 });
    const log = createLog(writer, 'info', 'text');
    const server = await startGate(configPath, cast, writer, log);
    return {
      addresses,
      configPath,
      upstream,
      server,
      async close(cause) {
        await server.drain(cause);
        await closeAll();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function startGate(configPath: string, cast: Cast, writer: LineWriter, log: Log): Promise<Server> {
  const result = await startServer({
    configPath,
    env: { [acmeSecretVariable]: cast.acmeSecret },
    writer,
    log,
    autoFormat: 'text',
    build,
    overrides: {},
  });
  if (result.kind === 'started') return result.server;
  if (result.kind === 'cannotListen') throw new Error(listenProblem(result));
  if (result.kind === 'workersFailed') throw new Error(result.detail);
  throw new Error(`the demo's own config is refused:\n${formatProblems(result.problems, { color: false })}`);
}

async function closeServer(server: HttpServer): Promise<void> {
  if (!server.listening) return;
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
