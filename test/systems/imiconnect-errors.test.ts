import { expect, it } from 'vitest';
import { diskDeps } from '../../src/config/deps.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type Reason, reasonNames, reasons } from '../../src/gate/reasons.ts';
import { refuse } from '../../src/gate/refuse.ts';

/** What the gateway's clients know: every reason is one of three codes. */
const codes: Partial<Record<Reason, { status: string; code: number }>> = {
  tokenMissing: { status: 'Token is required to access the requested resource', code: 39 },
  tokenExpired: { status: 'Token expired', code: 40 },
  requestRefused: { status: 'Invalid request', code: 38 },
  upstreamUnreachable: { status: 'Service unavailable', code: 38 },
  upstreamTimeout: { status: 'Service unavailable', code: 38 },
};
/** Not the token's fault: their status says whose. */
const ownStatus: readonly Reason[] = ['requestRefused', 'upstreamUnreachable', 'upstreamTimeout'];

it.each(reasonNames)('%s is answered with the exact JSON that the gateway’s clients know', async (reason) => {
  const loaded = await loadConfig('examples/imiconnect.yaml', diskDeps({}));
  if (!loaded.ok) throw new Error('the example does not load');
  const errors = loaded.policy.tenants.get('AP09092338')?.errors ?? loaded.policy.errors;
  const facts = { tenant: 'AP09092338', path: '/AP09092338/setuserid' };
  for (const format of [errors, loaded.policy.errors]) {
    const answer = refuse(format, reason, { requestId: 'r-1', facts, detail: 'for the log' });
    expect(answer.body).toBe(JSON.stringify(codes[reason] ?? { status: 'Invalid token', code: 38 }));
    expect(answer.status).toBe(ownStatus.includes(reason) ? reasons[reason].status : 401);
  }
  loaded.release();
});
