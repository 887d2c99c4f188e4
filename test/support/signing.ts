import type { JsonObject } from '../../src/gate/token.ts';
import { isKeyProblem } from '../../src/keys/key-problem.ts';
import { compileSigner, type Signer, type SignerDeps, type SignerSpec } from '../../src/sign/compile-signer.ts';
import type { SigningValues } from '../../src/sign/json-template.ts';
import { importSigningKey, type SigningKey, type SigningKeySpec } from '../../src/sign/signing-key.ts';
import { createSigningKeys } from '../../src/sign/signing-keys.ts';
import { createTokenCache } from '../../src/sign/token-cache.ts';
import { keyPair } from './key-pairs.ts';

/** A key to sign with, imported from fresh material unless it is given. */
export async function signingKey(spec: Partial<SigningKeySpec> = {}): Promise<SigningKey> {
  const { algorithm = 'ES256' } = spec;
  const material = algorithm.startsWith('HS')
    ? { secret: Buffer.alloc(64, 1) }
    : { privateKey: keyPair(algorithm).privatePem };
  const key = await importSigningKey({ algorithm, ...material, ...spec });
  if (isKeyProblem(key)) throw new Error(key.detail);
  return key;
}

/** What a request brings to a signature. */
export function signingValues(claims: JsonObject = {}, others: Partial<SigningValues> = {}): SigningValues {
  return { claims, captures: new Map(), requestId: 'req-1', tenant: 'acme', ...others };
}

export function freshSignerDeps(): SignerDeps {
  return { keys: createSigningKeys(), tokens: createTokenCache() };
}

/** A signer, or the problems as an error. */
export function signerOf(spec: Partial<SignerSpec> & Pick<SignerSpec, 'key'>, deps = freshSignerDeps()): Signer {
  const signer = compileSigner({ slot: 'upstream.sign', publishBeforeMs: 0, header: {}, payload: {}, ...spec }, deps);
  if ('problems' in signer) throw new Error(JSON.stringify(signer.problems));
  return signer;
}

/** Header and payload of a compact token, unverified. */
export function partsOf(token: string): { readonly header: JsonObject; readonly payload: JsonObject } {
  const [header, payload] = token.split('.', 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
  return { header, payload };
}
