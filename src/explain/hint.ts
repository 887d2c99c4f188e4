import { findClaim, shown } from '../gate/claims.ts';
import type { Step } from '../gate/rehearsal.ts';
import { headerValues } from '../gate/request-head.ts';
import { isSymmetric } from '../keys/algorithms.ts';
import { quoteForLog } from '../keys/quote-for-log.ts';
import { describeLocation } from './describe-step.ts';
import type { Facts } from './facts.ts';
import { findStrayToken } from './stray-token.ts';
import { describeSpan, isoSeconds, looksLikeMilliseconds } from './times.ts';

/** What the person who asked could do about the step that refused, which is the last one; undefined where it says it all. */
export function findHint(facts: Facts): string | undefined {
  const last = facts.said.at(-1);
  if (last === undefined) return undefined;
  return hints[last.step]?.(facts) ?? undefined;
}

type Hint = (facts: Facts) => string | undefined;

const hints: Readonly<Partial<Record<Step, Hint>>> = {
  tenant: hintTenant,
  path: hintPath,
  token: hintToken,
  shape: ({ said }) => (said.length > 0 ? 'jwtgate token inspect shows what it holds' : undefined),
  algorithm: (facts) =>
    ofOtherTenant(facts) ?? 'add it to algorithms only if this issuer is meant to sign with it, and has a key for it',
  expiry: hintTime,
  time: hintTime,
  key: hintKey,
  signature: hintSignature,
  type: () => 'an ID token where an access token is wanted has another typ: check which of them the client sends',
  issuer: hintIssuer,
  audience: ({ unverifiedClaims, tenant }) => {
    const wanted = tenant?.checks.audiences?.join(' or ');
    if (unverifiedClaims.aud === undefined) return `ask the issuer for a token whose aud is ${wanted}`;
    return `the token was issued for ${shown(unverifiedClaims.aud)}: ask for one for ${wanted}, or add it to audience`;
  },
  claim: ({ said, unverifiedClaims }) => {
    const check = said.at(-1)?.seen.check;
    return check && `in the token ${check.path.join('.')} is ${shown(findClaim(unverifiedClaims, check.path))}`;
  },
  bind: ({ said, unverifiedClaims }) => {
    const { bind, request } = said.at(-1)?.seen ?? {};
    return bind && request && bind.describe(unverifiedClaims, request);
  },
  rule: ({ said, unverifiedClaims }) => {
    const claims = said.at(-1)?.seen.rule?.claims ?? [];
    const values = claims.slice(0, 6).map((path) => `${path.join('.')} is ${shown(findClaim(unverifiedClaims, path))}`);
    return values.length === 0 ? undefined : `in the token ${values.join(', ')}`;
  },
  replay: () => 'this tenant accepts a token once: the client has to get a new one for each request',
};

function hintPath({ case: judged }: Facts): string {
  const inOtherCase = judged?.routeInOtherCase !== undefined && judged.target.oddity === undefined;
  if (!inOtherCase) return 'normalizePath: true, on the tenant or the route, accepts it and forwards its plain form';
  return 'have the client spell it as the route does; a route before that one may say what holds for other letters';
}

function hintTenant({ host, head, token, policy }: Facts): string | undefined {
  const path = head.target.split('?', 1)[0];
  const request = `host ${host === undefined ? 'none' : quoteForLog(host)}, path ${path}`;
  if (token === undefined) {
    const stray = findStrayToken(head);
    const where = stray === undefined ? '' : `; a token stands in ${describeLocation(stray)}`;
    return `no match of ${policy.tenants.size} tenants has ${request}${where}`;
  }
  const { kid, unverifiedClaims } = token;
  const said = [`kid ${kid === undefined ? 'none' : quoteForLog(kid)}`, `iss ${shown(unverifiedClaims.iss)}`];
  return `no match of ${policy.tenants.size} tenants has ${request}, and the token's ${said.join(', ')}`;
}

function hintToken({ head, tenant }: Facts): string | undefined {
  const stray = findStrayToken(head);
  if (stray !== undefined) return `a token stands in ${describeLocation(stray)}, where ${tenant?.id} looks for none`;
  const [authorization = ''] = headerValues(head, 'authorization');
  // Any other first word may be a secret that was sent without a scheme.
  const [scheme] = /^(?:Basic|Digest|Negotiate|DPoP)(?= )/i.exec(authorization) ?? [];
  return scheme === undefined ? undefined : `Authorization carries ${scheme} credentials, and no token`;
}

function hintTime({ unverifiedClaims, nowMs, tenant }: Facts): string | undefined {
  const { exp, nbf, iat } = unverifiedClaims;
  const nowS = nowMs / 1000;
  const clock = `now is ${isoSeconds(new Date(Math.floor(nowS) * 1000))} by this clock`;
  const skew = `clockSkew is ${describeSpan(tenant?.checks.clockSkewS ?? 0)}`;
  for (const [name, value] of Object.entries({ exp, nbf, iat })) {
    if (typeof value === 'number' && looksLikeMilliseconds(value)) {
      return `${name} is in milliseconds, and must be in seconds (RFC 7519 section 2)`;
    }
  }
  const ahead = Math.max(...[nbf, iat].map((time) => (typeof time === 'number' ? time - nowS : 0)));
  if (ahead > 0 && ahead < 600) {
    return `the issuer's clock is ${describeSpan(ahead)} ahead of this one (${clock}; ${skew}): set the clocks right`;
  }
  if (typeof exp !== 'number' || exp > nowS) return undefined;
  const expired = `it expired ${describeSpan(nowS - exp)} ago (${clock}; ${skew})`;
  return `${expired}: the client has to get a new one before the old one ends`;
}

function hintKey(facts: Facts): string | undefined {
  const { token, keysNowMs } = facts;
  const [source] = facts.keySources();
  if (source === undefined) return ofOtherTenant(facts);
  const { url, lastSuccessMs, lastError, keys, skipped } = source;
  const ago = (ms: number) => `${describeSpan(Math.max(0, keysNowMs - ms) / 1000)} ago`;
  const unused = skipped.find(({ kid }) => token?.kid !== undefined && kid === quoteForLog(token.kid));
  if (unused !== undefined) return `the set at ${url} names that key, but it is not used: ${unused.detail}`;
  if (lastSuccessMs === undefined) {
    return lastError && `${url} was asked ${ago(lastError.atMs)}: ${lastError.detail}`;
  }
  const kids = keys.slice(0, 6).map(({ kid }) => (kid === undefined ? 'one without kid' : quoteForLog(kid)));
  const fetched = `the set of ${url}, fetched ${ago(lastSuccessMs)}, has ${kids.join(', ') || 'no keys'}`;
  return ofOtherTenant(facts) ?? `${fetched}: is the token of another environment?`;
}

function hintSignature(facts: Facts): string | undefined {
  const other = ofOtherTenant(facts);
  if (other !== undefined) return other;
  return facts.token !== undefined && isSymmetric(facts.token.algorithm)
    ? 'the secret that signed it is another one, or is read in another encoding: see secret.encoding'
    : 'the token was changed after it was signed, or another environment has a key of the same name';
}

function hintIssuer(facts: Facts): string | undefined {
  const { iss } = facts.unverifiedClaims;
  const near = facts.tenant?.checks.issuers?.find((issuer) => {
    return typeof iss === 'string' && issuer.replace(/\/$/, '') === iss.replace(/\/$/, '');
  });
  if (near !== undefined) return 'they differ in the slash at the end alone, and iss is compared to the letter';
  return ofOtherTenant(facts);
}

/** The commonest mix-up: a good token, sent where another tenant's belongs. */
function ofOtherTenant({ unverifiedClaims: { iss }, tenant, policy }: Facts): string | undefined {
  if (typeof iss !== 'string' || tenant?.checks.issuers?.includes(iss)) return undefined;
  for (const other of policy.tenants.values()) {
    if (other !== tenant && other.checks.issuers?.includes(iss)) {
      return `its iss is the issuer of tenant ${other.id}: was it sent to the right place?`;
    }
  }
  return undefined;
}
