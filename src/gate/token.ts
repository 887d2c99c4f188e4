/** A JSON value as a verified or unverified token carries it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

/** A compact JWS taken apart, strictly, and not verified: nothing in it may decide more than which keys to ask. */
export interface UnverifiedToken {
  readonly raw: string;
  readonly unverifiedHeader: JsonObject;
  readonly unverifiedClaims: JsonObject;
  readonly algorithm: string;
  /** A numeric `kid` as its decimal text. */
  readonly kid: string | undefined;
  /** ASCII(BASE64URL(header) "." BASE64URL(payload)), RFC 7515 section 5.1. */
  readonly signingInput: string;
  readonly signature: Uint8Array;
}
