/** How one provider is asked; two tenants with the same address and policy share one source. */
export interface FetchPolicy {
  /**
   * At most this long from one fetch to the next, and the default where the response says nothing; its own
   * Cache-Control or Expires can shorten this, to no less than a minute, never lengthen it: a key that the provider
   * has withdrawn stops working within this time.
   */
  readonly refreshMs: number;
  /** For one whole fetch. */
  readonly timeoutMs: number;
  /** How long keys are used on after they should have been refreshed and could not be; then they are dropped. */
  readonly maxStaleMs: number;
  /** From one fetch for an unknown kid to the next, per tenant. */
  readonly cooldownMs: number;
  /** Sent along, to the origin of the configured address only. */
  readonly headers: Readonly<Record<string, string>>;
  /** PEM of the certificate authorities to trust, in place of the built-in ones. */
  readonly ca: string | undefined;
  /** Accept plain http beyond loopback. */
  readonly insecure: boolean;
}

/** A provider that says "no-cache" is still asked no oftener. */
const minRefreshMs = 60_000;

/** How long a fetched set counts as fresh, from the response's own word and the policy's bounds. */
export function freshnessMs(lifetimeMs: number | undefined, { refreshMs }: FetchPolicy): number {
  return Math.min(refreshMs, Math.max(lifetimeMs ?? refreshMs, minRefreshMs));
}

const firstRetryMs = 1_000;
const lastRetryMs = 60_000;

/**
 * Wait after the `failures`th failure in a row (1, 2, ...): doubling from one second to one minute, of which up to half
 * is taken off at random, so that a fleet does not come back all at once. `random` is in [0, 1).
 */
export function retryDelayMs(failures: number, random: number): number {
  const full = Math.min(lastRetryMs, firstRetryMs * 2 ** (failures - 1));
  return full * (1 - random / 2);
}

/** The background refresh comes before freshness ends, by a tenth to a fifth of it. */
export function refreshDelayMs(fresh: number, random: number): number {
  return fresh * (0.9 - random / 10);
}
