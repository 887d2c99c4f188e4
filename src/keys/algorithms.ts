import {
  constants,
  createHmac,
  verify as cryptoVerify,
  type KeyObject,
  timingSafeEqual,
  type VerifyKeyObjectInput,
} from 'node:crypto';
import { checkOffThread } from './slow-check.ts';

/** JWK key types (RFC 7518 section 6.1, RFC 8037, RFC 9964). */
export type KeyType = 'oct' | 'RSA' | 'EC' | 'OKP' | 'AKP';

/** Everything this program knows of one JWS algorithm; no other file lists algorithms. */
export interface JwsAlgorithm {
  readonly name: string;
  readonly keyType: KeyType;
  /** JWK `crv` that its keys must have. */
  readonly curve: string | undefined;
  /** HMAC: a shorter secret is weaker than the hash (RFC 7518 section 3.2). */
  readonly minSecretBytes: number;
  /** Every signature has this many bytes; undefined: as many as the RSA modulus. */
  readonly signatureBytes: number | undefined;
  /** True where one check takes so long that it must not hold up everybody else's requests. */
  readonly offThread: boolean;
  /** True where a check costs so much more than remembering its verdict that this is done at first sight. */
  readonly dear: boolean;
  /** Name of the hash for node:crypto; null where the algorithm brings its own. */
  readonly digest: string | null;
  /** What node:crypto needs to know beside the key. */
  readonly options: Omit<VerifyKeyObjectInput, 'key'>;
}

/** RFC 7518 sections 3.3 and 3.5. */
export const minRsaBits = 2048;

/** No provider uses more, and the cost of a check grows with the square. */
export const maxRsaBits = 8192;

/** An RSA check with a longer modulus runs off thread: docs/decisions/signature-checks.md has the figures. */
const longRsaBits = 4096;

const none = {
  minSecretBytes: 0,
  curve: undefined,
  signatureBytes: undefined,
  offThread: false,
  dear: false,
  options: {},
} as const;

function hmac(bits: 256 | 384 | 512): JwsAlgorithm {
  const bytes = bits / 8;
  const name = `HS${bits}`;
  return { ...none, name, keyType: 'oct', minSecretBytes: bytes, signatureBytes: bytes, digest: `sha${bits}` };
}

function rsaPkcs1(bits: 256 | 384 | 512): JwsAlgorithm {
  const options = { padding: constants.RSA_PKCS1_PADDING };
  return { ...none, name: `RS${bits}`, keyType: 'RSA', digest: `sha${bits}`, options };
}

/** RFC 7518 section 3.5: the salt is exactly as long as the hash. */
function rsaPss(bits: 256 | 384 | 512): JwsAlgorithm {
  const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: bits / 8 };
  return { ...none, name: `PS${bits}`, keyType: 'RSA', digest: `sha${bits}`, options };
}

/** RFC 7518 section 3.4: R and S side by side, each as long as the curve's order; never DER. */
function ecdsa(bits: 256 | 384 | 512, curve: string, signatureBytes: number, offThread: boolean): JwsAlgorithm {
  const options = { dsaEncoding: 'ieee-p1363' } as const;
  const name = `ES${bits}`;
  const dear = offThread;
  return { ...none, name, keyType: 'EC', curve, signatureBytes, offThread, dear, digest: `sha${bits}`, options };
}

/** RFC 8037 called it EdDSA whatever the curve, RFC 9864 gives this curve its own name; Ed25519 under both. */
function ed25519(name: 'EdDSA' | 'Ed25519'): JwsAlgorithm {
  return { ...none, name, keyType: 'OKP', curve: 'Ed25519', signatureBytes: 64, dear: true, digest: null };
}

/** RFC 9964; signature lengths from FIPS 204 table 2. */
function mlDsa(parameterSet: 44 | 65 | 87, signatureBytes: number, offThread: boolean): JwsAlgorithm {
  const name = `ML-DSA-${parameterSet}`;
  return { ...none, name, keyType: 'AKP', signatureBytes, offThread, dear: true, digest: null };
}

/** Every algorithm that can be configured: those that jose verifies. `none` is not an algorithm (RFC 8725 section 3.2). */
export const algorithms: ReadonlyMap<string, JwsAlgorithm> = new Map(
  [
    hmac(256),
    hmac(384),
    hmac(512),
    rsaPkcs1(256),
    rsaPkcs1(384),
    rsaPkcs1(512),
    rsaPss(256),
    rsaPss(384),
    rsaPss(512),
    ecdsa(256, 'P-256', 64, false),
    ecdsa(384, 'P-384', 96, true),
    ecdsa(512, 'P-521', 132, true),
    ed25519('EdDSA'),
    ed25519('Ed25519'),
    mlDsa(44, 2420, false),
    mlDsa(65, 3309, false),
    mlDsa(87, 4627, true),
  ].map((algorithm) => [algorithm.name, algorithm]),
);

export const algorithmNames: readonly string[] = [...algorithms.keys()];

/** Is this an HMAC algorithm, whose key is a shared secret? */
export function isSymmetric(algorithm: string): boolean {
  return algorithms.get(algorithm)?.keyType === 'oct';
}

/** Is a check so dear that its verdict is worth remembering at first sight? */
export function isDear(algorithm: string): boolean {
  return algorithms.get(algorithm)?.dear === true;
}

/** A public key, or a shared secret's bytes: a key object for each of 100,000 secrets would take 170 MB. */
export type KeyMaterial = KeyObject | Uint8Array;

/** Never throws or rejects: what can't be processed is not valid. */
export type SignatureCheck = (signingInput: string, signature: Uint8Array) => boolean | Promise<boolean>;

/** Makes ready to check signatures with a key that was found to fit this algorithm at import. */
export function prepareCheck(algorithm: JwsAlgorithm, key: KeyMaterial): SignatureCheck {
  const isSecret = key instanceof Uint8Array;
  if (isSecret !== (algorithm.keyType === 'oct')) return neverValid;
  return isSecret ? prepareHmac(algorithm.digest as string, key) : preparePublicKey(algorithm, key);
}

const neverValid: SignatureCheck = () => false;

function prepareHmac(digest: string, secret: Uint8Array): SignatureCheck {
  return (signingInput, signature) => {
    const mac = createHmac(digest, secret).update(signingInput, 'latin1').digest();
    return mac.length === signature.length && timingSafeEqual(mac, signature);
  };
}

function preparePublicKey(algorithm: JwsAlgorithm, key: KeyObject): SignatureCheck {
  const { digest, options, offThread } = algorithm;
  const rsaBits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  const signatureBytes = algorithm.signatureBytes ?? Math.ceil(rsaBits / 8);
  const input = { key, ...options };
  if (offThread || rsaBits > longRsaBits) {
    return (signingInput, signature) =>
      signature.length === signatureBytes && checkOffThread({ digest, input, signingInput, signature });
  }
  return (signingInput, signature) => {
    if (signature.length !== signatureBytes) return false;
    try {
      return cryptoVerify(digest, Buffer.from(signingInput, 'latin1'), input, signature);
    } catch {
      return false;
    }
  };
}
