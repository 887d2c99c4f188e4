import type { ListenAddress } from '../wire/listen-address.ts';

/** "host:port", "[::1]:port" or "unix:/path". */
export function showAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
