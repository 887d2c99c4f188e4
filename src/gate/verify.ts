import type { Reason } from './reasons.ts';
import type { JsonObject } from './token.ts';

declare const signatureVerified: unique symbol;

/** A token whose signature one of the tenant's own keys made. Only this file makes one; time and claims are judged after. */
export interface VerifiedToken {
  readonly [signatureVerified]: true;
  readonly raw: string;
  readonly header: JsonObject;
  readonly claims: JsonObject;
  readonly algorithm: string;
  readonly kid: string | undefined;
}

export type Verdict =
  | { readonly kind: 'verified'; readonly token: VerifiedToken; readonly cached: boolean }
  | {
      readonly kind: 'rejected';
      readonly reason: Extract<
        Reason,
        'algorithmRefused' | 'keyUnknown' | 'signatureInvalid' | 'keysUnavailable' | 'tokenExpired'
      >;
      readonly detail: string;
      readonly retryAfterS?: number;
    };
