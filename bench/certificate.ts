import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newAuthority } from '../test/support/certificates.ts';

/** What all targets speak TLS with: one ECDSA certificate (P-256), and for HAProxy both in one file. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly bothFile: string;
}

export function writeCertificate(directory: string): CertificateFiles {
  const { cert, key } = newAuthority('bench').issue({ name: 'bench.example', alternativeNames: ['bench.example'] });
  const write = (name: string, text: string) => {
    const file = join(directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  return {
    certFile: write('cert.pem', cert),
    keyFile: write('key.pem', key),
    bothFile: write('cert-and-key.pem', `${cert}\n${key}`),
  };
}

/** The one suite of TLS 1.3 that all are told to choose: each has another favourite. */
export const cipherSuite = 'TLS_AES_128_GCM_SHA256';
