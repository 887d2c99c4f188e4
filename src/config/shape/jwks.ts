import * as z from 'zod';
import { Secret } from '../secret.ts';
import { lazyObject } from './lazy-fields.ts';
import { exactlyOneOf } from './secret.ts';
import { markSensitive, secretText } from './sensitive.ts';
import { duration, flag, headerName, httpUrl, words } from './values.ts';

/** How a remote source is fetched; the same for `jwks` and `discovery`. */
const fetchOptions = {
  refresh: () =>
    duration({ minMs: 1000 })
      .prefault('10m')
      .describe('Fetch the keys again when they are older than this. Default: 10m.'),
  timeout: () =>
    duration({ minMs: 10, maxMs: 60_000 }).prefault('5s').describe('Longest wait for an answer. Default: 5s.'),
  maxStale: () =>
    duration()
      .prefault('24h')
      .describe(
        'How long keys are used beyond `refresh` while the source cannot be reached. A key withdrawn meanwhile is accepted until then. Default: 24h.',
      ),
  cooldown: () =>
    duration({ minMs: 1000 })
      .prefault('30s')
      .describe('Shortest time between two fetches because a token names an unknown key. Default: 30s.'),
  headers: () =>
    z.record(headerName(), secretText()).optional().describe('Request headers for the fetch, e.g. Authorization.'),
  ca: () =>
    words()
      .optional()
      .describe('CA certificates that the source must be certified by: a path, or PEM text. Default: the public CAs.'),
  required: () =>
    flag()
      .prefault(false)
      .describe(
        'true: /readyz answers 503 until these keys were fetched once. What fails after that never unreadies. Default: false.',
      ),
  insecure: () =>
    flag()
      .optional()
      .describe(
        'true: allow http:// to another machine. Whoever sits between can then put in keys of their own. Default: false.',
      ),
};

const jwksUrl = () => httpUrl('must be a URL, {file: PATH}, or an inline set {keys: […]}');

const jwksObject = lazyObject({
  url: () => jwksUrl().optional().describe('URL of the JWK set.'),
  file: () =>
    words()
      .optional()
      .describe('Path of a file that holds a JWK set, relative to the config file; read again on reload.'),
  keys: () =>
    z
      .array(
        markSensitive(
          z.looseObject({ kty: z.string({ error: 'must be a JWK: an object with kty' }).describe('JWK member.') }),
        ).transform((jwk) => new Secret<object>(jwk)),
      )
      .optional()
      .describe('An inline JWK set (RFC 7517 section 5).'),
  ...fetchOptions,
})
  .superRefine(exactlyOneOf(['url', 'file', 'keys']))
  .meta({ id: 'jwks' });

export type JwksConfig = z.output<typeof jwksObject>;

export const jwks = z
  .union([jwksUrl(), jwksObject], { error: 'must be a URL, {file: PATH}, or an inline set {keys: […]}' })
  .transform((value): JwksConfig => (typeof value === 'string' ? jwksObject.parse({ url: value }) : value));

const issuerUrl = () => httpUrl('must be the URL of an OpenID Connect issuer');

const discoveryObject = lazyObject({
  url: () =>
    issuerUrl().describe("The issuer's URL; its keys are found by /.well-known/openid-configuration below it."),
  ...fetchOptions,
}).meta({ id: 'discovery' });

export type DiscoveryConfig = z.output<typeof discoveryObject>;

export const discovery = z
  .union([issuerUrl(), discoveryObject], {
    error: 'must be the URL of an OpenID Connect issuer, or an object {url: …}',
  })
  .transform((value): DiscoveryConfig => (typeof value === 'string' ? discoveryObject.parse({ url: value }) : value));
