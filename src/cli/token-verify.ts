import { diskDeps } from '../config/deps.ts';
import { formatProblems } from '../config/format-problems.ts';
import { loadConfig } from '../config/load.ts';
import { checkRegisteredClaims } from '../gate/claims.ts';
import { locationName, type TokenLocation } from '../gate/locate.ts';
import type { Policy, Tenant } from '../gate/policy.ts';
import type { Reason } from '../gate/reasons.ts';
import { alternativeHolds, type MatchAlternative, type RecognisableRequest } from '../gate/recognise.ts';
import { parseToken, type UnverifiedToken } from '../gate/token.ts';
import { verifySignature } from '../gate/verify.ts';
import { createKeySources } from '../keys/key-sources.ts';
import { createVerdictCache } from '../state/verdict-cache.ts';
import { exitCodes } from './exit-codes.ts';

/** What a config says of a token, for stderr. */
export interface ConfigVerdict {
  readonly text: string;
  /** 0 verified, 1 refused, 2 no tenant found, 78 the config can't be used. */
  readonly exitCode: number;
}

/**
 * Judges a token as the gate would, as far as that needs no request: the tenant's keys, times, registered and own
 * claims. Fetches remote keys. `tenantId`: for tenants that the token alone does not tell apart.
 */
export async function verifyByConfig(
  raw: string,
  configPath: string,
  tenantId: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<ConfigVerdict> {
  const keySources = createKeySources({ env });
  try {
    const loaded = await loadConfig(configPath, { ...diskDeps(env), keySources });
    if (!loaded.ok) {
      const problems = formatProblems(loaded.problems, { color: process.stderr.isTTY });
      return { text: `${problems}${configPath} cannot be used`, exitCode: exitCodes.config };
    }
    const verdict = await judge(raw, loaded.policy, tenantId);
    loaded.release();
    return verdict;
  } finally {
    keySources.close();
  }
}

async function judge(raw: string, policy: Policy, tenantId: string | undefined): Promise<ConfigVerdict> {
  const token = parseToken(raw, policy.limits.tokenBytes);
  if (token.kind === 'malformed') return refused('tokenMalformed', token.detail);
  const found = tenantId === undefined ? findTenant(token, policy) : nameTenant(tenantId, policy);
  if ('exitCode' in found) return found;
  const { tenant, alternative } = found;

  const nowMs = Date.now();
  const verdict = await verifySignature(token, tenant, createVerdictCache({ entries: 0, bytes: 0 }), nowMs);
  if (verdict.kind === 'rejected') return refused(verdict.reason, verdict.detail);
  const { header, claims } = verdict.token;
  const failure = checkRegisteredClaims(header, claims, tenant.checks, nowMs / 1000);
  if (failure !== undefined) return refused(failure.reason, failure.detail);
  if (!alternativeHolds(alternative, verdict.token)) {
    return refused('claimRefused', 'the verified token is not the one its tenant is recognised by');
  }
  const failed = tenant.claims.find((check) => !check.test(claims));
  if (failed !== undefined) return refused('claimRefused', `the config wants ${failed.text}`);
  return {
    text: `verified as a token of tenant ${tenant.id}: signature, times and claims; routes and bindings need a request`,
    exitCode: exitCodes.ok,
  };
}

function refused(reason: Reason, detail: string): ConfigVerdict {
  return { text: `refused: ${reason}: ${detail}`, exitCode: exitCodes.no };
}

interface FoundTenant {
  readonly tenant: Tenant;
  readonly alternative: MatchAlternative | undefined;
}

function nameTenant(id: string, { tenants }: Policy): FoundTenant | ConfigVerdict {
  const tenant = tenants.get(id);
  if (tenant !== undefined) return { tenant, alternative: undefined };
  return { text: `--tenant: the config has no tenant ${JSON.stringify(id)}`, exitCode: exitCodes.usage };
}

/** The tenant that a request with this token, and nothing else to go by, would have. */
function findTenant(token: UnverifiedToken, { tenants, recognise }: Policy): FoundTenant | ConfigVerdict {
  const locations = new Map(
    [...tenants.values()].flatMap((tenant) => tenant.locations).map((one) => [locationName(one), one]),
  );
  for (const location of locations.values()) {
    const recognition = recognise(requestWith(token.raw, location), () => token);
    const tenant = recognition.kind === 'recognised' ? tenants.get(recognition.tenant) : undefined;
    if (recognition.kind === 'recognised' && tenant !== undefined)
      return { tenant, alternative: recognition.alternative };
  }
  return {
    text: 'the token alone does not say which tenant it is for: name one with --tenant',
    exitCode: exitCodes.usage,
  };
}

function requestWith(raw: string, location: TokenLocation): RecognisableRequest {
  const bare: RecognisableRequest = { head: { headers: [] }, segments: [], query: undefined, host: undefined };
  switch (location.kind) {
    case 'header': {
      const value = location.scheme === undefined ? raw : `${location.scheme} ${raw}`;
      return { ...bare, head: { headers: [location.name, value] } };
    }
    case 'query':
      return { ...bare, query: `${location.name}=${raw}` };
    case 'cookie':
      return { ...bare, head: { headers: ['cookie', `${location.name}=${raw}`] } };
    case 'websocketProtocol':
      return {
        ...bare,
        head: { headers: ['upgrade', 'websocket', 'sec-websocket-protocol', `${location.name}${raw}`] },
      };
  }
}
