import type { Allowed } from './decision.ts';
import { type Denial, deny } from './denial.ts';
import type { Policy } from './policy.ts';
import { judgeRevocation } from './revocation.ts';

/**
 * Why a request that was allowed would not be now: its tenant or its key is gone (tenantUnknown, keyUnknown), its
 * token is revoked (tokenRevoked), or expired where `closeAtExpiry` asks for it (tokenExpired). Undefined while it would.
 */
export function findPermitEnd(
  policy: Pick<Policy, 'tenants'>,
  { tenant: former, token }: Pick<Allowed, 'tenant' | 'token'>,
  nowMs: number,
): Denial | undefined {
  if (token === undefined) return undefined;
  const tenant = policy.tenants.get(former.id);
  if (tenant === undefined) return deny('tenantUnknown', 'the tenant was removed');
  if (tenant.mode === 'report') return undefined;
  if (tenant.fingerprint !== former.fingerprint || !token.isLive())
    return deny('keyUnknown', "the tenant's keys changed");
  const { exp } = token.claims;
  if (tenant.closeAtExpiry && typeof exp === 'number' && nowMs >= (exp + tenant.checks.clockSkewS) * 1000) {
    return deny('tokenExpired', 'expired while the answer was under way');
  }
  // A list that a reload brought and nobody has yet is no reason to end what goes on.
  const revoked = judgeRevocation(tenant.revocations, tenant.id, token);
  return revoked?.reason === 'tokenRevoked' ? revoked : undefined;
}
