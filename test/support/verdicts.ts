import { createVerdictCache, type VerdictCache, type VerdictCacheLimits } from '../../src/state/verdict-cache.ts';

/** A cache that keeps every verdict at first sight: for tests of what a kept verdict may do. */
export function keepingCache(limits: VerdictCacheLimits = { entries: 100, bytes: 1024 * 1024 }): VerdictCache {
  return { ...createVerdictCache(limits), wasVerified: () => true };
}
