import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { ConfigPath } from '../config-path.ts';
import { complainIn, type Load, type Section } from '../model.ts';
import { certificateBlocks } from '../pem-source.ts';

type At = readonly [section: Section<unknown>, path: ConfigPath];

/** A chain in the wrong order is the usual reason why the first certificate is not that of the key: false where it is. */
export function checkChainOrder(
  section: At[0],
  path: At[1],
  { cert, key }: { readonly cert: string; readonly key: string },
  load: Load,
): boolean {
  const chain = certificatesIn(cert);
  const own = chain.findIndex((certificate) => belongsTo(certificate, key));
  if (own > 0) {
    const message = `the certificate of this private key stands at place ${own + 1}, not first`;
    const hint = "the server's own certificate first, then the one that certifies it, and so on";
    complainIn(load, section, path, { message, hint });
    return false;
  }
  const stray = chain.findIndex((certificate, index) => index > 0 && !chain[index - 1]?.checkIssued(certificate));
  if (stray > 0) {
    const message = `certificate ${stray + 1} did not certify the one before it: clients may not find the chain`;
    const hint = "the server's own certificate first, then the one that certifies it, and so on";
    complainIn(load, section, path, { message, hint }, 'warning');
  }
  return true;
}

/**
 * Warns of certificates that are not valid now. An error only where one that is would be given up for it: what has
 * expired in use must not stand in the way of a reload that brings something else.
 */
export function checkTimes(section: At[0], path: At[1], pem: string, load: Load): void {
  const nowMs = Date.now();
  const certificates = certificatesIn(pem);
  const expired = certificates.find(({ validToDate }) => validToDate.getTime() <= nowMs);
  const early = certificates.find(({ validFromDate }) => validFromDate.getTime() > nowMs);
  if (expired === undefined && early === undefined) return;
  const message =
    expired === undefined
      ? `holds a certificate that is not valid before ${early?.validFromDate.toISOString()}`
      : `holds a certificate that expired on ${expired.validToDate.toISOString()}`;
  const served = load.deps.servedTls;
  const givesUpValid = path.at(-1) === 'cert' && served !== undefined && served.cert !== pem;
  const isLoss = givesUpValid && served.validity.listen.untilMs > nowMs;
  const hint = isLoss ? 'the one that is served now is valid: it stays' : 'renew it: clients refuse it';
  complainIn(load, section, path, { message, hint }, isLoss ? 'error' : 'warning');
}

/** When all of these certificates are valid; milliseconds since the epoch. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

export function validityOf(pem: string): Validity {
  const certificates = certificatesIn(pem);
  return {
    fromMs: Math.max(...certificates.map(({ validFromDate }) => validFromDate.getTime())),
    untilMs: Math.min(...certificates.map(({ validToDate }) => validToDate.getTime())),
  };
}

function certificatesIn(pem: string): X509Certificate[] {
  return certificateBlocks(pem).map((block) => new X509Certificate(block));
}

function belongsTo(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    // What is wrong with the key is said elsewhere.
    return false;
  }
}
