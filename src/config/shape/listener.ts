import { isIPv6 } from 'node:net';
import * as z from 'zod';

/** Where a listener stands; an empty host is every interface, IPv6 and IPv4. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** Reads "host:port", ":port" (every interface), "[::1]:port" or "unix:/path". */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return path.startsWith('/') && !path.includes('\0') ? { kind: 'unix', path } : undefined;
  }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]\s/]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { kind: 'tcp', host: bracketed, port } : undefined;
  return { kind: 'tcp', host: plain === '*' ? '' : (plain ?? ''), port };
}

export function listenAddress() {
  const error = 'must be "host:port" or "unix:/path"';
  return z.string({ error }).transform((text, context): ListenAddress => {
    const address = parseListenAddress(text);
    if (address !== undefined) return address;
    context.addIssue({ code: 'custom', message: error });
    return z.NEVER;
  });
}
