import type { FetchPolicy } from '../../src/keys/fetch-policy.ts';

/** As a config has it that says nothing of it. */
export const usualFetchPolicy: FetchPolicy = {
  refreshMs: 600_000,
  timeoutMs: 5_000,
  maxStaleMs: 86_400_000,
  cooldownMs: 30_000,
  headers: {},
  ca: undefined,
  insecure: false,
};
