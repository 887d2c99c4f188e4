import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { secretText } from './sensitive.ts';
import { words } from './values.ts';

const file = () => words().describe('Path of a PEM file, relative to the config file.');

/** PEM text, or a file that holds it. */
export const pemFile = () =>
  z.union([words(), lazyObject({ file: () => file() })], {
    error: 'must be PEM text, the path of a PEM file, or {file: PATH}',
  });

const keyWords = 'must be the path of a PEM file, {file: PATH}, {env: NAME}, or PEM text';

const keyObject = lazyObject({
  file: () => file().optional(),
  env: () =>
    words()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be the name of an environment variable' })
      .optional()
      .describe('Name of the environment variable that holds the PEM text.'),
}).superRefine((value, context) => {
  const given = Object.values(value).filter((member) => member !== undefined).length;
  if (given !== 1) context.addIssue({ code: 'custom', message: 'must have exactly one of file, env' });
});

/** A private key: where it is kept, or (a secret then) the PEM text itself. */
export const privateKeyFile = () => z.union([secretText(), keyObject], { error: keyWords });

export type PrivateKeyConfig = z.output<ReturnType<typeof privateKeyFile>>;
