import { KeyObject } from 'node:crypto';
import { importJWK, type JWK } from 'jose';
import { algorithms, type JwsAlgorithm, maxRsaBits, minRsaBits } from './algorithms.ts';
import { decodeBase64url } from './base64url.ts';
import { findWeakAlgorithms, importSecret, type SecretOptions } from './import-secret.ts';
import { createImportedKey, type ImportedKey } from './imported-key.ts';
import { type KeyProblem, keyProblem } from './key-problem.ts';
import { quoteForLog } from './quote-for-log.ts';
import { isRocaModulus } from './roca.ts';

export interface JwkOptions extends SecretOptions {
  /** False for a set that anybody can fetch: what stands there is no secret. */
  readonly allowSecret?: boolean | undefined;
}

type Jwk = Readonly<Record<string, unknown>>;

/** Members that only a private key has (RFC 7518 sections 6.2.2 and 6.3.2, RFC 9964). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'] as const;

/** What jose gets to see of a public key; everything else was judged here. */
const publicMembers = ['kty', 'crv', 'x', 'y', 'n', 'e', 'pub'] as const;

/** Imports one JWK (RFC 7517) for the algorithms among `accepted` that its type, curve and `alg` permit. */
export async function importJwk(
  value: unknown,
  options: JwkOptions,
  accepted: ReadonlySet<string>,
): Promise<ImportedKey | KeyProblem> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return keyProblem('malformed', 'a JWK is a JSON object');
  }
  const jwk = value as Jwk;
  if (typeof jwk.kty !== 'string') return keyProblem('malformed', 'kty is missing');
  const kid = options.kid ?? textOfKid(jwk.kid);
  if (kid === null) return keyProblem('malformed', 'kid is neither a string nor a safe integer');
  const purpose = findWrongPurpose(jwk);
  if (purpose !== undefined) return purpose;

  const fitting = findFitting(jwk, options.alg);
  if (!Array.isArray(fitting)) return fitting;
  if (jwk.kty === 'oct') return importSecretJwk(jwk, fitting, { ...options, kid }, accepted);
  const secret = privateMembers.find((name) => jwk[name] !== undefined);
  if (secret !== undefined) {
    return keyProblem('privateKey', `this is a private key (it has ${quoteForLog(secret)}): give its public half only`);
  }
  const usable = fitting.filter(({ name }) => accepted.has(name));
  if (usable.length === 0) return mismatch(jwk, fitting, accepted);
  return importPublicJwk(jwk, usable, kid);
}

function findWrongPurpose(jwk: Jwk): KeyProblem | undefined {
  if (jwk.use !== undefined && jwk.use !== 'sig') {
    return keyProblem('notForVerifying', `its use is ${show(jwk.use)}, not "sig"`);
  }
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) {
    return keyProblem('notForVerifying', 'its key_ops do not include "verify"');
  }
  return undefined;
}

/** The algorithms that this key's type, curve and own `alg` leave, before the tenant has its say. */
function findFitting(jwk: Jwk, pinned: string | undefined): JwsAlgorithm[] | KeyProblem {
  const own = jwk.alg;
  if (own !== undefined && typeof own !== 'string') return keyProblem('malformed', 'alg is not a string');
  if (own === undefined && jwk.kty === 'AKP') return keyProblem('malformed', 'an AKP key needs alg (RFC 9964)');
  for (const name of [own, pinned]) {
    if (name !== undefined && !algorithms.has(name)) {
      return keyProblem('unsupported', `alg ${quoteForLog(name)} is no signature algorithm known here`);
    }
  }
  const ofItsKind = [...algorithms.values()].filter(
    ({ keyType, curve }) => keyType === jwk.kty && (curve === undefined || curve === jwk.crv),
  );
  if (ofItsKind.length === 0) {
    const curve = jwk.crv === undefined ? '' : ` with curve ${show(jwk.crv)}`;
    return keyProblem('unsupported', `no algorithm goes with kty ${show(jwk.kty)}${curve}`);
  }
  const fitting = ofItsKind.filter(
    ({ name }) => (own === undefined || own === name) && (pinned === undefined || pinned === name),
  );
  if (fitting.length > 0) return fitting;
  const asked = [own, pinned].filter((name) => name !== undefined).map(quoteForLog);
  return keyProblem('algorithmMismatch', `alg ${asked.join(' and ')} does not go with ${describeKind(jwk)}`);
}

function importSecretJwk(
  jwk: Jwk,
  fitting: readonly JwsAlgorithm[],
  options: JwkOptions,
  accepted: ReadonlySet<string>,
): ImportedKey | KeyProblem {
  if (options.allowSecret !== true) return keyProblem('secretKey', 'a shared secret (kty "oct") in a public set');
  const secret = typeof jwk.k === 'string' ? decodeBase64url(jwk.k) : undefined;
  if (secret === undefined) return keyProblem('malformed', 'k is not canonical base64url');
  const usable = fitting.map(({ name }) => name).filter((name) => accepted.has(name));
  if (usable.length === 0) return mismatch(jwk, fitting, accepted);
  // A JWK without alg is for the algorithms that it is long enough for; only one that is too short for all is weak.
  const weak = new Set(options.allowWeakSecret === true ? [] : findWeakAlgorithms(secret.length, usable));
  const strong = usable.filter((name) => !weak.has(name));
  return importSecret(secret, { ...options, alg: undefined }, new Set(strong.length > 0 ? strong : usable));
}

async function importPublicJwk(
  jwk: Jwk,
  usable: readonly JwsAlgorithm[],
  kid: string | undefined,
): Promise<ImportedKey | KeyProblem> {
  const known: Record<string, unknown> = {};
  for (const name of publicMembers) if (jwk[name] !== undefined) known[name] = jwk[name];
  const first = (usable[0] as JwsAlgorithm).name;
  let material: KeyObject;
  try {
    const imported = await importJWK({ ...known, alg: first } as JWK, first);
    // Bytes come back for oct only, which never gets here.
    material = KeyObject.from(imported as CryptoKey);
  } catch {
    return keyProblem('malformed', `not a sound ${describeKind(jwk)}`);
  }
  return findWeakness(material, jwk) ?? createImportedKey(material, usable, kid);
}

/** Nobody uses more than 65537 (17 bits); the time of a check grows with the exponent. */
const maxRsaExponent = 2n ** 32n;

function findWeakness(material: KeyObject, jwk: Jwk): KeyProblem | undefined {
  const { modulusLength, publicExponent } = material.asymmetricKeyDetails ?? {};
  if (modulusLength === undefined || publicExponent === undefined) return undefined;
  if (modulusLength < minRsaBits) {
    return keyProblem('weak', `RSA of ${modulusLength} bits; ${minRsaBits} are needed (RFC 7518 section 3.3)`);
  }
  if (modulusLength > maxRsaBits) {
    return keyProblem('unsupported', `RSA of ${modulusLength} bits; ${maxRsaBits} are the most that is accepted`);
  }
  if (publicExponent < 3n || publicExponent % 2n === 0n) {
    return keyProblem('weak', `RSA with public exponent ${publicExponent}: every signature could be forged`);
  }
  if (publicExponent > maxRsaExponent) {
    return keyProblem('unsupported', 'RSA with a public exponent of more than 32 bits: each check would take long');
  }
  if (isRocaModulus(BigInt(`0x${Buffer.from(jwk.n as string, 'base64url').toString('hex')}`))) {
    return keyProblem('weak', 'RSA key made by a library whose keys can be factored (CVE-2017-15361, ROCA)');
  }
  return undefined;
}

function mismatch(jwk: Jwk, fitting: readonly JwsAlgorithm[], accepted: ReadonlySet<string>): KeyProblem {
  const goesWith = fitting.map(({ name }) => name).join(', ');
  const asked = [...accepted].map(quoteForLog).join(', ');
  return keyProblem('algorithmMismatch', `${describeKind(jwk)} goes with ${goesWith}, not with ${asked}`);
}

function describeKind(jwk: Jwk): string {
  const curve = jwk.crv === undefined ? '' : ` ${show(jwk.crv)}`;
  return `${show(jwk.kty)}${curve} key`;
}

/** Never by String(), which a deeply nested list brings down. */
function show(value: unknown): string {
  return typeof value === 'string' ? quoteForLog(value) : `a ${typeof value}`;
}

/** As in a token's header: sets exist that number their keys. Null: neither string nor integer. */
function textOfKid(kid: unknown): string | undefined | null {
  if (kid === undefined || typeof kid === 'string') return kid;
  return Number.isSafeInteger(kid) ? String(kid) : null;
}
