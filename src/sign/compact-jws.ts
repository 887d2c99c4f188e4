import type { SigningKey } from './signing-key.ts';

/** What JSON.stringify can write. */
type Members = Readonly<Record<string, unknown>>;

/** Base64url of a JSON object's UTF-8 text: a JOSE header or a payload (RFC 7515 section 3). */
export function encodePart(object: Members): string {
  return Buffer.from(JSON.stringify(object), 'utf8').toString('base64url');
}

/** The JOSE header that a key's tokens begin with; `extra` may replace `typ`, and nothing else that is ours. */
export function joseHeader({ algorithm, kid }: SigningKey, extra: Members): Members {
  return { typ: 'JWT', ...extra, alg: algorithm, ...(kid === undefined ? {} : { kid }) };
}

/** Signs header and payload, both encoded, into a compact JWS (RFC 7515 section 7.1). Fails as the key's `sign` does. */
export function signCompact(key: SigningKey, encodedHeader: string, encodedPayload: string): string | Promise<string> {
  const signingInput = `${encodedHeader}.${encodedPayload}`;
  const signature = key.sign(signingInput);
  const complete = (bytes: Buffer) => `${signingInput}.${bytes.toString('base64url')}`;
  return signature instanceof Promise ? signature.then(complete) : complete(signature);
}
