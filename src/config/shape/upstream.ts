import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { pemFile } from './pem.ts';
import { secretText } from './sensitive.ts';
import { rate, sign } from './sign.ts';
import { count, flag, httpUrl, words } from './values.ts';

const upstreamTls = lazyObject({
  ca: () =>
    pemFile()
      .optional()
      .describe(
        'CA certificates that the upstream must be certified by: a path, or PEM text. Default: the public CAs.',
      ),
  cert: () =>
    pemFile().optional().describe('Client certificate to show to the upstream: a path, or PEM text. Needs `key`.'),
  key: () =>
    z
      .union([secretText(), lazyObject({ file: () => words().describe('Path of the PEM file.') })])
      .optional()
      .describe('Private key of `cert`: a path. PEM text works too, but leaves the key in the config.'),
  serverName: () =>
    words()
      .optional()
      .describe("Name to ask for (SNI) and to find in the upstream's certificate. Default: the URL's host."),
  insecure: () =>
    flag()
      .optional()
      .describe('true: accept any certificate. Whoever sits between reads and changes all traffic. Default: false.'),
}).meta({ id: 'upstreamTls' });

const upstreamUrl = () =>
  z.string({ error: upstreamUrlWords }).superRefine((text, context) => {
    if (/^unix:\/[^\0]+$/.test(text)) return;
    const result = httpUrl(upstreamUrlWords).safeParse(text.replace(/^h2c:/, 'http:'));
    for (const { message } of result.error?.issues ?? []) context.addIssue({ code: 'custom', message });
    if (text.includes('?')) context.addIssue({ code: 'custom', message: 'must not hold a query ("?")' });
  });

const upstreamUrlWords =
  'must be a URL such as http://127.0.0.1:3000 (a base path may follow; h2c:// for HTTP/2), or unix:/path';

const upstreamObject = lazyObject({
  url: () =>
    upstreamUrl().describe(
      'http:// or https:// URL, with an optional base path that is put before every path; h2c:// for HTTP/2 without TLS; or unix:/path of a socket.',
    ),
  maxConnections: () =>
    count(1, 65_535)
      .prefault(256)
      .describe(
        'Most connections open to this upstream at a time, of all workers together; further requests wait in one line, and get 504 after timeouts.connect. WebSockets do not count once they are joined. Default: 256.',
      ),
  tls: () => upstreamTls.optional().describe('TLS settings, for https:// only.'),
  hostHeader: () =>
    z
      .enum(['preserve', 'upstream'])
      .prefault('preserve')
      .describe("Host header sent: `preserve` the client's (default), or `upstream` for the URL's own."),
  http2: () =>
    flag()
      .optional()
      .describe(
        'true: speak HTTP/2 to it, as gRPC needs it: by ALPN with https://, else by prior knowledge, as h2c:// says too. Default: HTTP/1.1.',
      ),
  sign: () => sign.optional().describe('Token that requests to this upstream get.'),
  rate: () => rate.optional().describe('Most requests in a time, e.g. 10/s; more are answered 429 with Retry-After.'),
  probe: () =>
    z
      .string()
      .regex(/^\/[\x21\x22\x24-\x7e]*$/, { error: 'must be a path such as /status: "/" first, no spaces, no "#"' })
      .optional()
      .describe(
        'Path that `jwtgate validate --online` calls with GET, and the token of `sign`, to test the connection: any 2xx is well.',
      ),
  mediaType: () =>
    words()
      .regex(/^[A-Za-z0-9!#$&^_.+-]+\/[A-Za-z0-9!#$&^_.+-]+(?:;[\x20-\x7e]*)?$/, {
        error: 'must be a media type such as application/json',
      })
      .optional()
      .describe(
        'Sent as Accept, and as Content-Type of a body, where the client names none. Default: nothing is added.',
      ),
}).meta({ id: 'upstream' });

export type UpstreamConfig = z.output<typeof upstreamObject>;

export const upstream = z
  .union([upstreamUrl(), upstreamObject], { error: `${upstreamUrlWords}, or an object {url: …}` })
  .transform((value): UpstreamConfig => (typeof value === 'string' ? upstreamObject.parse({ url: value }) : value));
