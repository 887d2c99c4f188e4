import type { Upstream } from './policy.ts';

/** The upstream's own Host value (RFC 9110 section 7.2): the default port is left out. */
export function authority(upstream: Upstream): string {
  if (upstream.socketPath !== undefined) return 'localhost';
  const host = upstream.host.includes(':') ? `[${upstream.host}]` : upstream.host;
  const defaultPort = upstream.scheme === 'https' ? 443 : 80;
  return upstream.port === defaultPort ? host : `${host}:${upstream.port}`;
}

/** Where it is, for people: a URL without its path, or "unix:/path". */
export function upstreamAddress(upstream: Upstream): string {
  return upstream.socketPath === undefined
    ? `${upstream.scheme}://${authority(upstream)}`
    : `unix:${upstream.socketPath}`;
}
