import { type MalformedToken, splitJws, type UnverifiedToken } from '../../src/gate/token.ts';
import { decodeBase64url } from '../../src/keys/base64url.ts';

/** As `parseToken`, for published vectors: their payloads are bytes, and no claims. */
export function parseJws(raw: string, maxBytes: number): UnverifiedToken | MalformedToken {
  const parts = splitJws(raw, maxBytes);
  if (parts.kind === 'malformed') return parts;
  const { header, payload, signingInput } = parts;
  const signature = decodeBase64url(parts.signature);
  if (signature === undefined || decodeBase64url(payload) === undefined) {
    return { kind: 'malformed', detail: 'not canonical base64url' };
  }
  const { unverifiedHeader, algorithm, kid } = header;
  return { kind: 'unverified', raw, unverifiedHeader, unverifiedClaims: {}, algorithm, kid, signingInput, signature };
}
