import { isIPv6 } from 'node:net';
import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { pemFile, privateKeyFile } from './pem.ts';
import { count, flag } from './values.ts';

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

export function listenAddress(error = 'must be "host:port" or "unix:/path"') {
  return z.string({ error }).transform((text, context): ListenAddress => {
    const address = parseListenAddress(text);
    if (address !== undefined) return address;
    context.addIssue({ code: 'custom', message: error });
    return z.NEVER;
  });
}

const listenTls = lazyObject({
  cert: () =>
    pemFile().describe(
      "The server's certificate, and behind it those that lead to its CA: a path, or PEM text. Read again on reload.",
    ),
  key: () =>
    privateKeyFile().describe(
      'Private key of `cert`: a path, {file} or {env}. PEM text works too, but leaves the key in the config.',
    ),
  clientCa: () =>
    pemFile()
      .optional()
      .describe(
        'CA certificates by which clients must be certified: a path, or PEM text. Default: clients are not asked for a certificate.',
      ),
  clientAuth: () =>
    z
      .enum(['required', 'optional'])
      .optional()
      .describe(
        'With `clientCa`: whether a client may come without a certificate. One that is not valid is refused either way. Default: required.',
      ),
  clientCrl: () =>
    pemFile()
      .optional()
      .describe(
        'Revocation list of every CA in `clientCa`, in PEM: a path, or the text. A client whose CA has none is refused. Default: none is looked at.',
      ),
  minVersion: () =>
    z
      .enum(['TLSv1.2', 'TLSv1.3'])
      .prefault('TLSv1.2')
      .describe('Oldest version of TLS that is spoken. Default: TLSv1.2.'),
}).superRefine(({ clientCa, clientAuth, clientCrl }, context) => {
  if (clientCa !== undefined) return;
  for (const [name, value] of Object.entries({ clientAuth, clientCrl })) {
    if (value !== undefined) context.addIssue({ code: 'custom', path: [name], message: 'goes with clientCa only' });
  }
});

export type ListenTlsConfig = z.output<typeof listenTls>;

const listenerWords = 'must be "host:port", "unix:/path", or an object {address, tls: {cert, key}}';

/** An address, or one with TLS; always an object once it is read. */
export const listener = z
  .union(
    [
      listenAddress(listenerWords),
      lazyObject({
        address: () => listenAddress().describe('"host:port" or "unix:/path".'),
        tls: () => listenTls.optional().describe('Speaks TLS to clients, and nothing else. Default: plain HTTP.'),
      }),
    ],
    { error: listenerWords },
  )
  .transform((value): { readonly address: ListenAddress; readonly tls?: ListenTlsConfig | undefined } =>
    'address' in value ? value : { address: value },
  );

export const defaultMaxStreams = 100;

/** `off`, or how it is spoken. */
export function http2() {
  const words = 'must be true, false, or an object {maxStreams}';
  const maxStreams = count(1, 10_000)
    .prefault(defaultMaxStreams)
    .describe(
      `Most requests at a time on one connection; a client keeps further ones back. Default: ${defaultMaxStreams}.`,
    );
  return z
    .union([flag(), z.strictObject({ maxStreams })], { error: words })
    .transform((value): { readonly maxStreams: number } | 'off' => {
      if (typeof value === 'object') return value;
      return value ? { maxStreams: defaultMaxStreams } : 'off';
    });
}
