import type { Cors } from '../gate/cors.ts';
import { locationName, type TokenLocation } from '../gate/locate.ts';
import type { Policy, Tenant, Upstream } from '../gate/policy.ts';
import type { ErrorFormat } from '../gate/refuse.ts';
import { sendAsIs } from '../gate/send.ts';
import { createKeyRing } from '../keys/key-ring.ts';
import { deepFreeze } from './deep-freeze.ts';
import type { Pause } from './pacer.ts';

const noAlgorithms: ReadonlySet<string> = new Set();

/**
 * What lets a request of no tenant through, where all that would be refused is only reported: a tenant that identifies
 * nobody. Tokens that upstreams take for ours don't travel on with it.
 */
export async function compileUnrecognised(
  upstream: Upstream,
  {
    errors,
    cors,
    tenants,
  }: { readonly errors: ErrorFormat; readonly cors: Cors | undefined; readonly tenants: Iterable<Tenant> },
  pause: Pause,
): Promise<NonNullable<Policy['unrecognised']>> {
  const issued = new Map<string, TokenLocation>();
  for (const { sending } of tenants) {
    await pause();
    if (sending.signing !== undefined) issued.set(locationName(sending.signing.into), sending.signing.into);
  }
  const tenant: Tenant = {
    id: '',
    fingerprint: '',
    mode: 'report',
    upstream,
    locations: [],
    algorithms: noAlgorithms,
    keys: createKeyRing([], { algorithms: noAlgorithms, kid: 'auto' }),
    checks: {
      requireExp: true,
      clockSkewS: 0,
      maxAgeS: undefined,
      issuers: undefined,
      subjects: undefined,
      audiences: undefined,
      types: undefined,
    },
    routes: [],
    access: 'required',
    claims: [],
    binds: [],
    rules: [],
    identityHeaders: [],
    payloadHeader: undefined,
    forwardToken: 'keep',
    normalizePath: false,
    errors,
    basic: undefined,
    tellsWay: false,
    cors,
    sending: sendAsIs,
    revocations: [],
    closeAtExpiry: false,
    replay: undefined,
  };
  return deepFreeze({ tenant, stripped: [...issued.values()] });
}
