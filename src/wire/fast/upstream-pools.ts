import type { Upstream } from '../../gate/policy.ts';
import type { Bridge } from '../call/bridge.ts';
import { type AllUpstreamSlots, UpstreamSlots } from '../upstream-slots.ts';
import type { CoarseTimer } from './timers.ts';
import { UpstreamPool } from './upstream-pool.ts';

/** A lane's connections to all upstreams, by `Upstream.key`. */
export interface UpstreamPools {
  /** The pool of this upstream, made on first use. */
  get(upstream: Upstream): UpstreamPool;
  /** Lets go of every pool whose key is not in use any more: its idle connections close now, busy ones when done. */
  retain(keys: ReadonlySet<string>): void;
  /** Closes every connection, busy or not. */
  close(): void;
}

/** `bridge`: to upstreams that speak HTTP/2. */
export function createUpstreamPools(timer: CoarseTimer, bridge: Bridge, slots: AllUpstreamSlots): UpstreamPools {
  const pools = new Map<string, UpstreamPool>();
  return {
    get(upstream) {
      let pool = pools.get(upstream.key);
      if (pool === undefined) {
        // What leads to a bridge is no connection to the upstream: those are counted behind it.
        const own = upstream.http2 === true ? new UpstreamSlots(upstream.maxConnections) : slots.get(upstream);
        pool = new UpstreamPool(upstream, timer, bridge, own);
        pools.set(upstream.key, pool);
      }
      return pool;
    },
    retain(keys) {
      for (const [key, pool] of pools) {
        if (keys.has(key)) continue;
        pools.delete(key);
        pool.retire();
      }
    },
    close() {
      for (const pool of pools.values()) pool.destroyAll();
    },
  };
}
