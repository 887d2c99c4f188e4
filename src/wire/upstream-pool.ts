import { Agent, type AgentOptions } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Upstream } from '../gate/policy.ts';
import type { Bridge } from './call/bridge.ts';

/** Connections to one upstream, by `Upstream.key`. */
export interface UpstreamPool {
  /** Keeps connections alive, at most `maxConnections` of them; further requests wait for one. */
  readonly agent: Agent;
  /** Always connects anew: for the one retry after a connection that the upstream had just closed. */
  readonly freshAgent: Agent;
}

export interface UpstreamPools {
  /** The pool of this upstream, made on first use. */
  get(upstream: Upstream): UpstreamPool;
  /** Lets go of every pool whose key is not in use any more: its idle connections close now, busy ones when done. */
  retain(keys: ReadonlySet<string>): void;
  /** Closes every connection, busy or not. */
  close(): void;
}

/**
 * How long an unused connection is kept where the upstream gives no hint (Keep-Alive: timeout, which Node honours).
 * Below the 5 s after which common servers hang up without having said so: a request that meets such a connection
 * fails, and only an idempotent one may be sent again.
 */
const idleConnectionMs = 4_000;

/** `bridge`: to upstreams that speak HTTP/2. */
export function createUpstreamPools(bridge: Bridge): UpstreamPools {
  const pools = new Map<string, UpstreamPool>();
  return {
    get(upstream) {
      let pool = pools.get(upstream.key);
      if (pool === undefined) {
        pool = createPool(upstream, bridge);
        pools.set(upstream.key, pool);
      }
      return pool;
    },
    retain(keys) {
      for (const [key, pool] of pools) {
        if (keys.has(key)) continue;
        pools.delete(key);
        retire(pool.agent);
      }
    },
    close() {
      for (const pool of pools.values()) {
        pool.agent.destroy();
        pool.freshAgent.destroy();
      }
      pools.clear();
    },
  };
}

function createPool(upstream: Upstream, bridge: Bridge): UpstreamPool {
  const options: AgentOptions = { maxSockets: upstream.maxConnections };
  const kept: AgentOptions = {
    ...options,
    keepAlive: true,
    maxFreeSockets: upstream.maxConnections,
    timeout: idleConnectionMs,
  };
  if (upstream.http2 === true)
    return { agent: new BridgeAgent(upstream, bridge, kept), freshAgent: new BridgeAgent(upstream, bridge, options) };
  if (upstream.scheme === 'http') return { agent: new Agent(kept), freshAgent: new Agent(options) };
  const tls = tlsOptions(upstream);
  return { agent: new TlsAgent({ ...kept, ...tls }), freshAgent: new TlsAgent({ ...options, ...tls }) };
}

class BridgeAgent extends Agent {
  private readonly upstream: Upstream;
  private readonly bridge: Bridge;

  constructor(upstream: Upstream, bridge: Bridge, options: AgentOptions) {
    super(options);
    this.upstream = upstream;
    this.bridge = bridge;
  }

  override createConnection(): Socket {
    return this.bridge.connect(this.upstream);
  }
}

/** Does a lane itself speak TLS to this upstream? */
export function speaksTls({ scheme, http2 }: Upstream): boolean {
  return scheme === 'https' && http2 !== true;
}

/**
 * The server name is always given, as Node would otherwise take it from the request's Host: a client could then
 * choose which name the upstream's certificate has to carry.
 */
export function tlsOptions({ host, tls }: Upstream): Record<string, unknown> {
  return {
    servername: tls?.serverName ?? (isIP(host) === 0 ? host : ''),
    rejectUnauthorized: tls?.insecure !== true,
    minVersion: 'TLSv1.2',
    ...(tls?.ca !== undefined && { ca: tls.ca }),
    ...(tls?.cert !== undefined && { cert: tls.cert }),
    ...(tls?.key !== undefined && { key: tls.key }),
  };
}

/** `destroy` would cut exchanges under way; without keep-alive they close their connection as they end. */
function retire(agent: Agent): void {
  Object.assign(agent, { keepAlive: false });
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}
