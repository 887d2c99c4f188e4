import { createHmac, type KeyObject, type SignKeyObjectInput, sign } from 'node:crypto';

/** base64url of a text as it is, or of a value's JSON. */
export function encodePart(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** A compact JWS of any parts, sensible or not: what no signing library would make. */
export function rawToken(header: unknown, payload: unknown, signature: Uint8Array | string = 'c2ln'): string {
  const last = typeof signature === 'string' ? signature : Buffer.from(signature).toString('base64url');
  return `${encodePart(header)}.${encodePart(payload)}.${last}`;
}

/** As `rawToken`, with the HMAC-SHA256 under a secret. */
export function hs256Token(header: unknown, payload: unknown, secret: Uint8Array | string): string {
  const input = `${encodePart(header)}.${encodePart(payload)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/** As `rawToken`, signed with a private key in whatever way node:crypto is told. */
export function signedToken(
  header: unknown,
  payload: unknown,
  digest: string | null,
  key: KeyObject | SignKeyObjectInput,
): string {
  const input = `${encodePart(header)}.${encodePart(payload)}`;
  return `${input}.${sign(digest, Buffer.from(input), key).toString('base64url')}`;
}
