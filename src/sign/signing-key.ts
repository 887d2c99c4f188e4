import { createHash, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { JsonObject } from '../gate/token.ts';
import { algorithms, type JwsAlgorithm } from '../keys/algorithms.ts';
import { importJwk } from '../keys/import-jwk.ts';
import { importSecret } from '../keys/import-secret.ts';
import { isKeyProblem, type KeyProblem, keyProblem } from '../keys/key-problem.ts';
import { quoteForLog } from '../keys/quote-for-log.ts';
import { importPrivateKey } from './import-private-key.ts';
import { bindSigningKey, type MakeSignature } from './signature.ts';

/** A key that we sign with, bound to its one algorithm. The private part is reachable through `sign` alone. */
export interface SigningKey {
  readonly algorithm: string;
  /** What goes into tokens; undefined: none does. */
  readonly kid: string | undefined;
  /** The same for the same key, algorithm and kid, in this process; not for display. */
  readonly id: string;
  /** Ready to publish, with `kid`, `alg` and `use`; undefined for a shared secret. */
  readonly publicJwk: PublicJwk | undefined;
  readonly sign: MakeSignature;
}

export type PublicJwk = JsonObject & { readonly kid: string };

export interface SigningKeySpec {
  /** JWS algorithm name, e.g. RS256. */
  readonly algorithm: string;
  /** Decoded bytes, for HS*. */
  readonly secret?: Uint8Array | undefined;
  /** PEM text, for all others. */
  readonly privateKey?: string | undefined;
  /** Default: for a private key its RFC 7638 thumbprint, for a secret none. Null: none in tokens. */
  readonly kid?: string | null | undefined;
  /** Accept a legacy secret that is shorter than the hash. */
  readonly allowWeakSecret?: boolean | undefined;
}

/** Imports a secret or private key for signing: sound, long enough, and of the kind that its algorithm needs. */
export async function importSigningKey(spec: SigningKeySpec): Promise<SigningKey | KeyProblem> {
  const algorithm = algorithms.get(spec.algorithm);
  if (algorithm === undefined) {
    const known = [...algorithms.keys()].join(', ');
    return keyProblem('unsupported', `${quoteForLog(spec.algorithm)} is no signature algorithm known here (${known})`);
  }
  if (spec.secret !== undefined && spec.privateKey !== undefined) {
    return keyProblem('algorithmMismatch', 'give secret or privateKey, not both');
  }
  return algorithm.keyType === 'oct' ? fromSecret(algorithm, spec) : fromPrivateKey(algorithm, spec);
}

function fromSecret(
  algorithm: JwsAlgorithm,
  { secret, kid, allowWeakSecret }: SigningKeySpec,
): SigningKey | KeyProblem {
  const { name } = algorithm;
  if (secret === undefined)
    return keyProblem('algorithmMismatch', `${name} signs with a secret, not with a private key`);
  const checked = importSecret(secret, { allowWeakSecret }, new Set([name]));
  if (isKeyProblem(checked)) return checked;
  return {
    algorithm: name,
    kid: kid ?? undefined,
    id: keyId(name, kid ?? undefined, checked.thumbprint),
    publicJwk: undefined,
    sign: bindSigningKey(algorithm, createSecretKey(secret)),
  };
}

async function fromPrivateKey(
  algorithm: JwsAlgorithm,
  { privateKey, kid }: SigningKeySpec,
): Promise<SigningKey | KeyProblem> {
  const { name } = algorithm;
  if (privateKey === undefined) {
    return keyProblem('algorithmMismatch', `${name} signs with a private key, not with a secret`);
  }
  const material = importPrivateKey(privateKey);
  if (isKeyProblem(material)) return material;
  const members = publicMembersOf(material);
  if (members === undefined) {
    return keyProblem('unsupported', 'this kind of private key goes with no JWS algorithm');
  }
  // The judgement on a public key is the judgement on its private one: type, curve, length, known weaknesses.
  const verifier = await importJwk(members.kty === 'AKP' ? { ...members, alg: name } : members, {}, new Set([name]));
  if (isKeyProblem(verifier)) return verifier;
  const sign = bindSigningKey(algorithm, material);
  if (!(await belongTogether(name, sign, verifier.verify))) {
    return keyProblem('malformed', 'the parts of the private key do not belong together: paste it again, whole');
  }
  const thumbprint = jwkThumbprint(members, name);
  const publicJwk: PublicJwk = { ...members, kid: kid ?? thumbprint, alg: name, use: 'sig' };
  const tokenKid = kid === null ? undefined : publicJwk.kid;
  return { algorithm: name, kid: tokenKid, id: keyId(name, tokenKid, thumbprint), publicJwk, sign };
}

/** What a public JWK consists of, by key type: nothing else of a key is ever copied out. */
const publicMemberNames = ['kty', 'crv', 'x', 'y', 'n', 'e', 'pub'] as const;

function publicMembersOf(privateKey: KeyObject): Record<string, string> | undefined {
  let jwk: Record<string, unknown>;
  try {
    jwk = createPublicKey(privateKey).export({ format: 'jwk' }) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  return Object.fromEntries(
    publicMemberNames.flatMap((name) => (typeof jwk[name] === 'string' ? [[name, jwk[name]]] : [])),
  );
}

/** A key whose parts were mixed up would sign what nothing verifies. */
async function belongTogether(
  algorithm: string,
  sign: MakeSignature,
  verify: (algorithm: string, signingInput: string, signature: Uint8Array) => boolean | Promise<boolean>,
): Promise<boolean> {
  const probe = 'jwtgate';
  try {
    return await verify(algorithm, probe, await sign(probe));
  } catch {
    return false;
  }
}

/** RFC 7638: SHA-256 over the required members in lexicographic order; for AKP `alg` is one of them (RFC 9964). */
function jwkThumbprint(members: Readonly<Record<string, string>>, algorithm: string): string {
  const required = members.kty === 'AKP' ? { ...members, alg: algorithm } : members;
  const canonical = Object.fromEntries(Object.entries(required).sort(([a], [b]) => (a < b ? -1 : 1)));
  return createHash('sha256').update(JSON.stringify(canonical)).digest('base64url');
}

function keyId(algorithm: string, kid: string | undefined, thumbprint: string): string {
  return JSON.stringify([algorithm, kid ?? null, thumbprint]);
}
