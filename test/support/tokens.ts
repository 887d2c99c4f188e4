import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** Compact JWSs for tests, made with node:crypto alone, so that the code under test never judges its own work. */
export interface TokenParts {
  readonly header?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
}

export const segment = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function mintHs256(secret: string | Uint8Array, { header = {}, claims = {} }: TokenParts = {}): string {
  const input = `${segment({ alg: 'HS256', typ: 'JWT', ...header })}.${segment(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

export function mintRs256(privateKey: KeyObject, { header = {}, claims = {} }: TokenParts = {}): string {
  const input = `${segment({ alg: 'RS256', typ: 'JWT', ...header })}.${segment(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`;
}

export function mintEdDsa(privateKey: KeyObject, { header = {}, claims = {} }: TokenParts = {}): string {
  const input = `${segment({ alg: 'EdDSA', typ: 'JWT', ...header })}.${segment(claims)}`;
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
}

export interface TestKeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicPem: string;
  readonly publicJwk: Record<string, unknown>;
}

function pair({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }, kid?: string): TestKeyPair {
  return {
    privateKey,
    publicKey,
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    publicJwk: { ...publicKey.export({ format: 'jwk' }), ...(kid === undefined ? {} : { kid }) },
  };
}

export const newRsaKey = (kid?: string) => pair(generateKeyPairSync('rsa', { modulusLength: 2048 }), kid);
export const newEd25519Key = (kid?: string) => pair(generateKeyPairSync('ed25519'), kid);
