import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { algorithms } from '../keys/algorithms.ts';
import { type KeyProblem, keyProblem } from '../keys/key-problem.ts';
import { parsePem } from '../keys/pem.ts';
import { repairPem } from './repair-pem.ts';

/** The three ways in which a private key is written; the label says which, and nothing else is tried. */
const typeByLabel: ReadonlyMap<string, 'pkcs8' | 'pkcs1' | 'sec1'> = new Map([
  ['PRIVATE KEY', 'pkcs8'],
  ['RSA PRIVATE KEY', 'pkcs1'],
  ['EC PRIVATE KEY', 'sec1'],
]);

/** Labels that people paste in place of a private key, and what to do about each. */
const adviceByLabel: ReadonlyMap<string, string> = new Map([
  [
    'ENCRYPTED PRIVATE KEY',
    'the private key is encrypted, and there is nobody to ask for its passphrase: give it decrypted, as "openssl pkey -in key.pem" prints it',
  ],
  [
    'OPENSSH PRIVATE KEY',
    'the private key is in OpenSSH\'s own format: "ssh-keygen -p -m PKCS8 -f FILE" rewrites a copy of it as PEM',
  ],
  ['PUBLIC KEY', 'this is a public key: signing needs the private key that it belongs to'],
  ['RSA PUBLIC KEY', 'this is a public key: signing needs the private key that it belongs to'],
  ['CERTIFICATE', 'this is a certificate: signing needs the private key that it was made for'],
  ['CERTIFICATE REQUEST', 'this is a certificate request: signing needs the private key that it was made with'],
]);

/** Reads a private key in PEM: PKCS #8, PKCS #1 or SEC 1, repaired where it was damaged on the way. No key text in problems. */
export function importPrivateKey(text: string): KeyObject | KeyProblem {
  if (text.trim() === '') return keyProblem('malformed', 'the private key is empty');
  const pem = withoutParameters(repairPem(text));
  const incomplete = describeMissingLines(pem);
  if (incomplete !== undefined) return keyProblem('malformed', incomplete);
  const block = parsePem(pem);
  if ('kind' in block) return block;
  const { label, der } = block;
  // RFC 1421 headers: the older way to encrypt a key, under the label of a plain one.
  const encrypted = /^Proc-Type:.*ENCRYPTED/m.test(pem);
  const advice = adviceByLabel.get(encrypted ? 'ENCRYPTED PRIVATE KEY' : label);
  if (advice !== undefined) return keyProblem(codeOf(label), advice);
  const type = typeByLabel.get(label);
  if (type === undefined) return keyProblem('unsupported', `${label} is not a private key`);
  try {
    return createPrivateKey({ key: der, format: 'der', type });
  } catch {
    return keyProblem(
      'malformed',
      `the ${label} can't be parsed: paste it again, whole, from -----BEGIN ${label}----- to -----END ${label}-----`,
    );
  }
}

function codeOf(label: string): KeyProblem['code'] {
  return label.endsWith('PRIVATE KEY') ? 'unsupported' : 'malformed';
}

/** "openssl ecparam -genkey" writes the curve's name in a block of its own before the key, which names it again. */
function withoutParameters(pem: string): string {
  return pem.replace(/-----BEGIN EC PARAMETERS-----\n[^-]*-----END EC PARAMETERS-----\n/g, '');
}

function describeMissingLines(pem: string): string | undefined {
  const begin = /^-----BEGIN ([A-Z0-9 ]+)-----$/m.exec(pem)?.[1];
  const end = /^-----END ([A-Z0-9 ]+)-----$/m.exec(pem)?.[1];
  if (begin !== undefined && end !== undefined) return undefined;
  if (begin !== undefined) return `the last line is missing: paste -----END ${begin}----- below the key`;
  if (end !== undefined) return `the first line is missing: paste -----BEGIN ${end}----- above the key`;
  if (/^LS0tLS1CRUdJTi/.test(pem)) {
    return 'this is a PEM text in base64 once more: decode it first ("base64 -d")';
  }
  return describeBareBody(pem);
}

/** Parsing only to name the lost lines: a body without them is never accepted as a key. */
function describeBareBody(pem: string): string {
  const der = Buffer.from(pem, 'base64');
  const label = labelOf(der);
  if (label !== undefined) {
    return `the first and last lines are missing: paste -----BEGIN ${label}----- above the key and -----END ${label}----- below it`;
  }
  if (parses(() => createPublicKey({ key: der, format: 'der', type: 'spki' }))) {
    return 'this is a public key without its first and last lines: signing needs the private key that it belongs to';
  }
  return 'no private key in PEM: its first and last lines (-----BEGIN PRIVATE KEY-----, -----END PRIVATE KEY-----) are missing';
}

/** All three begin SEQUENCE { INTEGER version, … (RFC 5208, RFC 8017 appendix A.1.2, RFC 5915); what comes next tells them apart. */
const labelByThirdTag: ReadonlyMap<number | undefined, string> = new Map([
  [0x30, 'PRIVATE KEY'],
  [0x02, 'RSA PRIVATE KEY'],
  [0x04, 'EC PRIVATE KEY'],
]);

function labelOf(der: Buffer): string | undefined {
  const lengthBytes = (der[1] ?? 0) < 0x80 ? 1 : 1 + ((der[1] ?? 0) & 0x7f);
  const label = labelByThirdTag.get(der[1 + lengthBytes + 3]);
  const type = typeByLabel.get(label ?? '');
  return type !== undefined && parses(() => createPrivateKey({ key: der, format: 'der', type })) ? label : undefined;
}

function parses(parse: () => KeyObject): boolean {
  try {
    parse();
    return true;
  } catch {
    return false;
  }
}

/** The algorithm that a private key is usually meant for: the first of the table that its type and curve fit. */
export function findUsualAlgorithm(privateKey: KeyObject): string | undefined {
  const named = privateKey.asymmetricKeyType?.toUpperCase() ?? '';
  if (algorithms.has(named)) return named;
  let jwk: Record<string, unknown>;
  try {
    jwk = createPublicKey(privateKey).export({ format: 'jwk' }) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const fits = [...algorithms.values()].find(
    ({ keyType, curve }) => keyType === jwk.kty && (curve === undefined || curve === jwk.crv),
  );
  return fits?.name;
}
