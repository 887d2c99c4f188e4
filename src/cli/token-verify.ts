import { formatProblems } from '../config/format-problems.ts';
import { rehearseToken } from '../explain/token-alone.ts';
import type { Policy } from '../gate/policy.ts';
import type { Reason } from '../gate/reasons.ts';
import { exitCodes } from './exit-codes.ts';
import { openWorld } from './explain/open-world.ts';
import { noSuchTenant } from './no-such-tenant.ts';

/** What a config says of a token, for stderr. */
export interface ConfigVerdict {
  readonly text: string;
  /** 0 verified, 1 refused, 2 no tenant found, 78 the config can't be used. */
  readonly exitCode: number;
}

/**
 * Has the gate judge a token, as far as that needs no request. Fetches remote keys and lists. `tenantId`: for tenants
 * that the token alone does not tell apart.
 */
export async function verifyByConfig(
  raw: string,
  configPath: string,
  tenantId: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<ConfigVerdict> {
  const world = await openWorld(configPath, { env, offline: false, jwks: undefined });
  if (world.kind === 'problem') return { text: world.detail, exitCode: exitCodes.usage };
  try {
    const { loaded } = world;
    if (loaded.ok) return await verdictOf(raw, loaded.policy, tenantId);
    const problems = formatProblems(loaded.problems, { color: process.stderr.isTTY });
    return { text: `${problems}${configPath} cannot be used`, exitCode: exitCodes.config };
  } finally {
    world.close();
  }
}

async function verdictOf(raw: string, policy: Policy, tenantId: string | undefined): Promise<ConfigVerdict> {
  const judged = await rehearseToken(raw, { policy, tenantId, nowMs: Date.now() });
  switch (judged.kind) {
    case 'malformed':
      return refused('tokenMalformed', judged.detail);
    case 'mismatch':
      return refused('tenantUnknown', `the token has nothing of what tenant ${tenantId} is recognised by`);
    case 'noSuchTenant':
      return {
        text: `--tenant: ${noSuchTenant('the config', String(tenantId), policy.tenants.keys())}`,
        exitCode: exitCodes.usage,
      };
    case 'tenantOpen': {
      const text = 'the token alone does not say which tenant it is for: name one with --tenant';
      return { text, exitCode: exitCodes.usage };
    }
    case 'rehearsed': {
      const { decision } = judged.rehearsed;
      if (decision.kind === 'refused') return refused(decision.reason, decision.detail);
      return { text: `verified as a token of tenant ${judged.tenant}: ${whatWasJudged}`, exitCode: exitCodes.ok };
    }
  }
}

const whatWasJudged =
  'signature, times, claims, revocation, and rules on the token alone; routes, bindings and all else need a request, ' +
  'and jwtgate explain';

function refused(reason: Reason, detail: string): ConfigVerdict {
  return { text: `refused: ${reason}: ${detail}`, exitCode: exitCodes.no };
}
