import { constants, generateKeyPairSync, type KeyObject, type SignKeyObjectInput, sign } from 'node:crypto';
import { encodePart } from './raw-token.ts';

/** A signing key of a JWS algorithm, and everything that a test wants of it. */
export interface TestKeyPair {
  readonly algorithm: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** Public half, with alg, and kid where one was given. */
  readonly jwk: Record<string, unknown>;
  /** PEM, SPKI. */
  readonly publicPem: string;
  /** PEM, PKCS #8. */
  readonly privatePem: string;
  /** A compact token with this header beside alg, and kid where one was given. */
  readonly sign: (payload: unknown, header?: Record<string, unknown>) => string;
}

const curves: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

/** Every algorithm with a key pair. */
export const asymmetricAlgorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'],
  ...['EdDSA', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'],
];

const cached = new Map<string, { publicKey: KeyObject; privateKey: KeyObject }>();

/** Makes a key pair; RSA pairs are made once a process for each `kid`, because making one takes long. */
export function keyPair(algorithm: string, kid?: string, rsaBits = 2048): TestKeyPair {
  const rsa = /^[RP]S/.test(algorithm);
  const cacheKey = `${rsaBits} ${kid ?? ''}`;
  const pair = (rsa ? cached.get(cacheKey) : undefined) ?? generate(algorithm, rsaBits);
  if (rsa) cached.set(cacheKey, pair);
  const named = kid === undefined ? {} : { kid };
  return {
    algorithm,
    ...pair,
    jwk: { ...pair.publicKey.export({ format: 'jwk' }), alg: algorithm, ...named },
    publicPem: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privatePem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    sign: (payload, header = {}) => {
      const input = `${encodePart({ alg: algorithm, ...named, ...header })}.${encodePart(payload)}`;
      return `${input}.${sign(digestOf(algorithm), Buffer.from(input), signingKey(algorithm, pair.privateKey)).toString('base64url')}`;
    },
  };
}

function generate(algorithm: string, rsaBits: number): { publicKey: KeyObject; privateKey: KeyObject } {
  if (/^[RP]S/.test(algorithm)) return generateKeyPairSync('rsa', { modulusLength: rsaBits });
  const curve = curves[algorithm];
  if (curve !== undefined) return generateKeyPairSync('ec', { namedCurve: curve });
  if (algorithm.startsWith('ML-DSA-')) return generateKeyPairSync(algorithm.toLowerCase() as 'ml-dsa-44');
  return generateKeyPairSync('ed25519');
}

function digestOf(algorithm: string): string | null {
  return /^[RPE]S(256|384|512)$/.test(algorithm) ? `sha${algorithm.slice(2)}` : null;
}

function signingKey(algorithm: string, key: KeyObject): SignKeyObjectInput | KeyObject {
  if (algorithm in curves) return { key, dsaEncoding: 'ieee-p1363' };
  if (!algorithm.startsWith('PS')) return key;
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}
