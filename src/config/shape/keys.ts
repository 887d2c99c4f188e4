import * as z from 'zod';
import { Secret } from '../secret.ts';
import { lazyObject } from './lazy-fields.ts';
import { exactlyOneOf, kid } from './secret.ts';
import { markSensitive, secretText } from './sensitive.ts';
import { oneOrMore, words } from './values.ts';

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
