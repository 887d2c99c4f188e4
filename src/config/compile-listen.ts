import { hash } from 'node:crypto';
import { checkChainOrder, checkTimes, type Validity, validityOf } from './check/certificate-chain.ts';
import type { ConfigPath } from './config-path.ts';
import type { Load, Section } from './model.ts';
import { checkCertificates, checkKeyPair, checkRevocationList, readPem, readPrivateKey } from './pem-source.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import type { GlobalConfig } from './shape/config.ts';
import { defaultMaxStreams } from './shape/listener.ts';

/** What the listener speaks TLS with. */
export interface CompiledTls {
  /** PEM: the server's certificate, then its chain. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** PEM of the CAs that certify clients; undefined: they are not asked for a certificate. */
  readonly clientCa: string | undefined;
  readonly clientCrl: string | undefined;
  readonly clientAuth: 'required' | 'optional';
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** HTTP/2 is offered beside HTTP/1.1; undefined: it is not. */
  readonly http2: { readonly maxStreams: number } | undefined;
  /** Two that are alike in all have the same. */
  readonly id: string;
  /** Two that believe the same clients have the same. */
  readonly trustId: string;
  readonly validity: { readonly listen: Validity; readonly clientCa: Validity | undefined };
}

const at = (name: string): ConfigPath => ['listen', 'tls', name];

/** Reads and checks `listen.tls`; undefined where there is none, or where the report says what is wrong. */
export async function compileListen(
  section: Section<GlobalConfig>,
  load: Load,
  files: ReferencedFiles,
): Promise<CompiledTls | undefined> {
  const { tls } = section.config.listen;
  if (tls === undefined) return undefined;
  const pem = async (name: 'cert' | 'clientCa' | 'clientCrl') => {
    const source = tls[name];
    return source === undefined ? undefined : readPem(section, at(name), source, files);
  };
  const [cert, clientCa, clientCrl] = await Promise.all([pem('cert'), pem('clientCa'), pem('clientCrl')]);
  const key = await readPrivateKey(section, at('key'), tls.key, load, files);
  if (clientCrl !== undefined) checkRevocationList(section, at('clientCrl'), clientCrl, load);
  const caIsSound = clientCa === undefined || checkCertificates(section, at('clientCa'), clientCa, load);
  const isSound = cert !== undefined && checkCertificates(section, at('cert'), cert, load);
  if (!isSound || !caIsSound || key === undefined) return undefined;
  if (checkChainOrder(section, at('cert'), { cert, key }, load)) {
    checkKeyPair(section, at('cert'), { cert, key }, load);
  }
  checkTimes(section, at('cert'), cert, load);
  if (clientCa !== undefined) checkTimes(section, at('clientCa'), clientCa, load);
  const validity = { listen: validityOf(cert), clientCa: clientCa === undefined ? undefined : validityOf(clientCa) };
  const { minVersion, clientAuth = 'required' } = tls;
  const { http2: wanted = { maxStreams: defaultMaxStreams } } = section.config;
  const http2 = wanted === 'off' ? undefined : wanted;
  const trust = [clientCa ?? null, clientCrl ?? null, clientAuth];
  const compiled: CompiledTls = {
    cert,
    key,
    clientCa,
    clientCrl,
    clientAuth,
    minVersion,
    http2,
    id: hash('sha256', JSON.stringify([cert, key, minVersion, http2 ?? null, ...trust]), 'base64url'),
    trustId: hash('sha256', JSON.stringify(trust), 'base64url'),
    validity,
  };
  // Read by name, and by nothing that prints, copies or serialises settings.
  return Object.defineProperty(compiled, 'key', { enumerable: false });
}
