import { scalarText } from './claims.ts';
import { type Denial, deny } from './denial.ts';
import type { VerifiedToken } from './verify.ts';

/** What of a verified token a list can name. */
export interface RevocableToken {
  readonly jti: string | undefined;
  readonly sub: string | undefined;
  readonly kid: string | undefined;
  /** `iat`, in seconds since the epoch. */
  readonly issuedAtS: number | undefined;
}

export type RevocationFinding =
  | { readonly kind: 'revoked'; readonly detail: string }
  /** The list was never to be had. */
  | { readonly kind: 'unavailable'; readonly detail: string; readonly retryAfterS: number };

/** A list of tokens that end before their time, as it is at the moment of asking. */
export interface RevocationList {
  /** Undefined: not on the list. */
  find(tenant: string, token: RevocableToken): RevocationFinding | undefined;
}

/** Holds a verified token against its tenant's lists: tokenRevoked, or stateUnavailable while one was never there. */
export function judgeRevocation(
  lists: readonly RevocationList[],
  tenant: string,
  { claims, kid }: Pick<VerifiedToken, 'claims' | 'kid'>,
): Denial | undefined {
  if (lists.length === 0) return undefined;
  const { jti, sub, iat } = claims;
  const issuedAtS = typeof iat === 'number' ? iat : undefined;
  const token = { jti: scalarText(jti), sub: scalarText(sub), kid, issuedAtS };
  for (const list of lists) {
    const finding = list.find(tenant, token);
    if (finding?.kind === 'revoked') return deny('tokenRevoked', finding.detail);
    if (finding !== undefined) return deny('stateUnavailable', finding.detail, { retryAfterS: finding.retryAfterS });
  }
  return undefined;
}
