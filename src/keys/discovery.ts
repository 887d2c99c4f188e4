import { type FetchFailure, failure } from './fetch-document.ts';
import { namesOwnAddress } from './own-addresses.ts';
import { isLoopback, parseProviderUrl } from './provider-url.ts';
import { quoteForLog } from './quote-for-log.ts';

/**
 * Where an issuer keeps its metadata (OpenID Connect Discovery 1.0 section 4.1): below the issuer's path, whose
 * closing slash is taken off first.
 */
export function discoveryUrl(issuer: URL): URL {
  const url = new URL(issuer);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/.well-known/openid-configuration`;
  return url;
}

/**
 * Reads `jwks_uri` out of an issuer's metadata. The `issuer` in it must be the configured text, character by character
 * (section 4.3): else a document of another issuer on the same host would do. A provider may point to any https
 * address, but into this machine only if it is in this machine itself.
 */
export function readDiscovery(text: string, issuer: string, insecure: boolean): URL | FetchFailure {
  let metadata: unknown;
  try {
    metadata = JSON.parse(text);
  } catch {
    return failure('notJson', 'the discovery document is not JSON');
  }
  if (typeof metadata !== 'object' || metadata === null || !('issuer' in metadata)) {
    return failure('issuerMismatch', 'the discovery document names no issuer');
  }
  if (metadata.issuer !== issuer) {
    const named = typeof metadata.issuer === 'string' ? quoteForLog(metadata.issuer) : 'something else';
    return failure('issuerMismatch', `the discovery document is ${named}'s, not ${quoteForLog(issuer)}'s`);
  }
  const jwksUri = 'jwks_uri' in metadata ? metadata.jwks_uri : undefined;
  if (typeof jwksUri !== 'string') return failure('notKeySet', 'the discovery document has no jwks_uri');
  const url = parseProviderUrl(jwksUri, insecure);
  if ('problem' in url) return failure('notKeySet', `jwks_uri: ${url.problem}`);
  if (namesOwnAddress(url) && !isLoopback(new URL(issuer))) {
    return failure('notKeySet', 'jwks_uri points to this machine, where the issuer is not');
  }
  return url;
}
