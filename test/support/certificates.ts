import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';

export interface CertificateAndKey {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface TestCertificates {
  /** PEM of a private CA. */
  readonly ca: string;
  /** For "localhost" alone. */
  readonly server: CertificateAndKey;
  /** For "keys.test" alone: a name that only a proxy can reach. */
  readonly keyProvider: CertificateAndKey;
  /** For a client named "jwtgate-client". */
  readonly client: CertificateAndKey;
}

let made: TestCertificates | undefined;

/** A private CA and what it issued, made once a process: nothing expires, and no key lies in the repository. */
export function testCertificates(): TestCertificates {
  made ??= makeCertificates();
  return made;
}

function makeCertificates(): TestCertificates {
  const { ca, issue } = newAuthority('jwtgate test CA');
  return {
    ca,
    server: issue({ name: 'localhost', alternativeNames: ['localhost'] }),
    keyProvider: issue({ name: 'keys.test', alternativeNames: ['keys.test'] }),
    client: issue({ name: 'jwtgate-client' }),
  };
}

export interface CertificateSpec {
  /** Common name; several, or none, where a list is given. */
  readonly name: string | readonly string[];
  /** Host names, IPv4 addresses, and URIs. */
  readonly alternativeNames?: readonly string[];
  /** Milliseconds since the epoch; default: since yesterday, for ten days. */
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly isAuthority?: boolean;
}

export interface Authority {
  /** PEM of its own certificate. */
  readonly ca: string;
  issue(spec: CertificateSpec): CertificateAndKey;
  /** A CA that is certified by this one. */
  issueAuthority(name: string): Authority;
}

/** A CA of one's own, whose certificate is its own issuer's. */
export function newAuthority(name: string): Authority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return authority(name, privateKey, makeCertificate({ name, isAuthority: true }, publicKey, name, privateKey));
}

function authority(name: string, privateKey: KeyObject, ca: string): Authority {
  const issueTo = (spec: CertificateSpec) => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return { ...pair, cert: makeCertificate(spec, pair.publicKey, name, privateKey) };
  };
  return {
    ca,
    issue(spec) {
      const issued = issueTo(spec);
      return { cert: issued.cert, key: issued.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
    },
    issueAuthority(inner) {
      const issued = issueTo({ name: inner, isAuthority: true });
      return authority(inner, issued.privateKey, issued.cert);
    },
  };
}

/** Two bytes long, below 0x8000: as DER wants them. */
let serial = 0x100;

/** Makes X.509 v3 certificates (RFC 5280 section 4.1), just as much of them as TLS looks at. */
function makeCertificate(spec: CertificateSpec, publicKey: KeyObject, issuer: string, issuerKey: KeyObject): string {
  const { name, alternativeNames = [], isAuthority = false } = spec;
  const { notBeforeMs = Date.now() - 86_400_000, notAfterMs = Date.now() + 10 * 86_400_000 } = spec;
  serial += 1;
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const extensions = [extension('2.5.29.19', sequence(...(isAuthority ? [der(0x01, Buffer.from([0xff]))] : [])))];
  if (alternativeNames.length > 0)
    extensions.push(extension('2.5.29.17', sequence(...alternativeNames.map(generalName))));
  const toBeSigned = sequence(
    der(0xa0, integer(2)),
    integer(serial),
    algorithm,
    distinguishedName([issuer]),
    sequence(time(notBeforeMs), time(notAfterMs)),
    distinguishedName(typeof name === 'string' ? [name] : name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const certificate = sequence(toBeSigned, algorithm, bitString(sign('sha256', toBeSigned, issuerKey)));
  const base64 = certificate.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const lengthBytes = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...lengthBytes]), content]);
}

const sequence = (...contents: readonly Buffer[]) => der(0x30, ...contents);
const integer = (value: number) => der(0x02, Buffer.from(value < 0x80 ? [value] : [value >> 8, value & 0xff]));
const bitString = (bits: Buffer) => der(0x03, Buffer.from([0]), bits);
const extension = (id: string, value: Buffer) => sequence(oid(id), der(0x04, value));
const commonName = (name: string) => der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(name))));
const distinguishedName = (names: readonly string[]) => sequence(...names.map(commonName));

function generalName(name: string): Buffer {
  if (isIP(name) === 4) return der(0x87, Buffer.from(name.split('.').map(Number)));
  return der(name.includes('://') ? 0x86 : 0x82, Buffer.from(name));
}

function time(ms: number): Buffer {
  return der(0x17, Buffer.from(`${new Date(ms).toISOString().slice(2, 19).replaceAll(/[-:T]/g, '')}Z`));
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const digits = [part & 0x7f];
    for (let high = part >> 7; high > 0; high >>= 7) digits.unshift((high & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(0x06, Buffer.from(bytes));
}
