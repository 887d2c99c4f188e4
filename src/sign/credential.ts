import type { Signer } from './compile-signer.ts';
import type { Grant } from './grant.ts';
import type { SigningValues } from './json-template.ts';

/** Where a token goes in the request: `into` of the config. */
export type Placement =
  | { readonly kind: 'header'; readonly name: string; readonly scheme: string | undefined }
  | { readonly kind: 'query'; readonly name: string };

/** RFC 6750 section 2.1. */
export const defaultPlacement: Placement = { kind: 'header', name: 'Authorization', scheme: 'Bearer' };

export type Placed =
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  /** `pair`: "name=value", encoded, to be appended to the query. */
  | { readonly kind: 'query'; readonly pair: string };

/** The token as it stands in the request. Whatever a client sent under the same name must be gone. */
export function placeToken(placement: Placement, token: string): Placed {
  if (placement.kind === 'query') {
    return { kind: 'query', pair: `${encodeURIComponent(placement.name)}=${encodeURIComponent(token)}` };
  }
  const { name, scheme } = placement;
  return { kind: 'header', name, value: scheme === undefined ? token : `${scheme} ${token}` };
}

export type Obtained =
  | { readonly kind: 'obtained'; readonly token: string }
  /** `detail` is for the log; `retryAfterS`: undefined where waiting does not help. */
  | { readonly kind: 'failed'; readonly detail: string; readonly retryAfterS: number | undefined };

/** What an upstream gets to see who is asking: a token that we signed, or one that was granted for it. */
export interface Credential {
  /** At once where one is at hand or quick to sign; never throws, never rejects. */
  obtain(values: SigningValues, nowMs: number): Obtained | Promise<Obtained>;
  /** The upstream answered 401 to this token: true where another may be had, so that one more try makes sense. */
  refused(values: SigningValues, token: string): boolean;
}

/** The signed token itself. */
export function credentialOfSigner(signer: Signer): Credential {
  const asObtained = (result: Awaited<ReturnType<Signer['sign']>>): Obtained =>
    result.kind === 'signed'
      ? { kind: 'obtained', token: result.token }
      : { kind: 'failed', detail: result.detail, retryAfterS: undefined };
  return {
    obtain(values, nowMs) {
      const signed = signer.sign(values, nowMs);
      return signed instanceof Promise ? signed.then(asObtained) : asObtained(signed);
    },
    refused: () => false,
  };
}

/** The access token that the signed assertion is exchanged for (RFC 7523). */
export function credentialOfGrant(grant: Grant): Credential {
  const asObtained = (result: Awaited<ReturnType<Grant['authorize']>>): Obtained =>
    result.kind === 'granted' ? { kind: 'obtained', token: result.accessToken } : result;
  return {
    obtain(values) {
      const granted = grant.authorize(values);
      return granted instanceof Promise ? granted.then(asObtained) : asObtained(granted);
    },
    refused: (values, token) => grant.invalidate(values, token),
  };
}
