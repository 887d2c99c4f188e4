import * as z from 'zod';
import { Secret } from '../secret.ts';
import { lazyObject } from './lazy-fields.ts';
import { markSensitive, secretText } from './sensitive.ts';
import { duration, flag, headerName, httpUrl, oneOrMore, textOrNumber, words } from './values.ts';

export const secretEncodings = ['utf8', 'base64', 'base64url', 'hex'] as const;

const kid = () =>
  textOrNumber()
    .optional()
    .describe(
      'The key ID (`kid`) by which tokens name this key. A number is taken as its text. Default: none; for a sole secret the `kid` by which `match` recognises the tenant.',
    );

const secretFields = {
  value: () =>
    secretText().optional().describe('The secret itself. Anyone who can read the config can then make tokens.'),
  env: () =>
    words()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be the name of an environment variable' })
      .optional()
      .describe('Name of the environment variable that holds it.'),
  file: () =>
    words()
      .optional()
      .describe(
        'Path of the file that holds it, relative to the config file. One line break at its end is dropped; read again on reload.',
      ),
  encoding: () =>
    z
      .enum(secretEncodings)
      .prefault('utf8')
      .describe('How the bytes of the secret are written. Default: utf8, the text itself.'),
};

const secretObject = lazyObject({ ...secretFields, kid: () => kid() })
  .superRefine(exactlyOneOf(['value', 'env', 'file']))
  .meta({ id: 'secret' });

export type SecretConfig = z.output<typeof secretObject>;

/** Allows one of these keys, and wants it. */
function exactlyOneOf(names: readonly string[]) {
  return (value: Record<string, unknown>, context: z.RefinementCtx) => {
    const given = names.filter((name) => value[name] !== undefined);
    if (given.length === 1) return;
    const message =
      given.length === 0 ? `must have one of ${names.join(', ')}` : `must have only one of ${given.join(' and ')}`;
    context.addIssue({ code: 'custom', message });
  };
}

export const secret = oneOrMore(
  z
    .union([secretText(), secretObject], { error: 'must be text, or an object {value | env | file, encoding}' })
    .transform((value): SecretConfig => (value instanceof Secret ? { value, encoding: 'utf8' } : value)),
);

/** A password is a secret like others, but for the key ID. */
const passwordObject = lazyObject(secretFields).superRefine(exactlyOneOf(['value', 'env', 'file']));

export const password = z
  .union([secretText(), passwordObject], { error: 'must be text, or an object {value | env | file, encoding}' })
  .transform((value): SecretConfig => (value instanceof Secret ? { value, encoding: 'utf8' } : value));

export const basic = lazyObject({
  user: () =>
    words()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it keeps out
      .regex(/^[^:\0-\x1f\x7f]+$/, { error: 'must not hold ":" or control characters (RFC 7617 section 2)' })
      .describe('User name.'),
  password: () => password.describe('Password: text, or {value | env | file, encoding}.'),
});

export type BasicConfig = z.output<typeof basic>;

const algorithm = () =>
  words()
    .optional()
    .describe('The one algorithm this key may verify, e.g. RS256. Default: all of `algorithms` that fit it.');

const member = () => markSensitive(z.string().min(1));

/** RFC 7517 section 4, RFC 7518 section 6. Private members are in the list so that their refusal can be clear. */
const jwkMembers = {
  kty: () => words().optional().describe('Marks the object as a JWK (RFC 7517).'),
  use: () => words().optional().describe('JWK member.'),
  key_ops: () => z.array(z.string()).optional().describe('JWK member.'),
  ...Object.fromEntries(
    ['crv', 'n', 'e', 'x', 'y', 'k', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'pub', 'priv', 'x5t', 'x5t#S256', 'x5u'].map(
      (name) => [name, () => member().optional().describe('JWK member.')],
    ),
  ),
  x5c: () => markSensitive(z.array(z.string())).optional().describe('JWK member.'),
};

const keyObject = lazyObject({
  file: () =>
    words()
      .optional()
      .describe('Path of a PEM file (public key or certificate) or of a JWK, relative to the config file.'),
  pem: () => secretText().optional().describe('PEM text of a public key or certificate.'),
  kid,
  alg: algorithm,
  ...jwkMembers,
})
  .superRefine(exactlyOneOf(['file', 'pem', 'kty']))
  .meta({ id: 'key' });

/** A key as it was given; the content is a secret because private keys get pasted where public ones belong. */
export type KeyConfig = (
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'pem'; readonly pem: Secret }
  | { readonly kind: 'jwk'; readonly jwk: Secret<object> }
) & { readonly kid?: string | undefined; readonly alg?: string | undefined };

function keyConfig({ file, pem, ...jwk }: z.output<typeof keyObject>): KeyConfig {
  const { kid, alg } = jwk;
  if (file !== undefined) return { kind: 'file', file, kid, alg };
  if (pem !== undefined) return { kind: 'pem', pem, kid, alg };
  return { kind: 'jwk', jwk: new Secret(jwk) };
}

export const keys = oneOrMore(
  z
    .union([secretText(), keyObject], { error: 'must be PEM text, a JWK, or an object {file | pem, kid, alg}' })
    .transform((value): KeyConfig => (value instanceof Secret ? { kind: 'pem', pem: value } : keyConfig(value))),
);

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
