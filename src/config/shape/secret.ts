import * as z from 'zod';
import { Secret } from '../secret.ts';
import { lazyObject } from './lazy-fields.ts';
import { secretText } from './sensitive.ts';
import { oneOrMore, textOrNumber, words } from './values.ts';

export const secretEncodings = ['utf8', 'base64', 'base64url', 'hex'] as const;

export const kid = () =>
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
export function exactlyOneOf(names: readonly string[]) {
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
