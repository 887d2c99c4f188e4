import * as z from 'zod';
import { fieldActions, plainFields, textFields } from '../../gate/log-fields.ts';
import { lazyObject } from './lazy-fields.ts';
import { secretText } from './sensitive.ts';
import { flag, share, words } from './values.ts';

const textField = (usual: string) => () =>
  z
    .enum(fieldActions)
    .optional()
    .describe(
      `\`keep\`, \`drop\`, \`redact\` (the key stays), or \`hash\` (tells whether two lines are about the same). Default: ${usual}.`,
    );
const plainField = () => z.enum(['keep', 'drop']).optional().describe('`keep` or `drop`. Default: keep.');

const fields = lazyObject({
  ...Object.fromEntries(Object.entries(textFields).map(([name, usual]) => [name, textField(usual)])),
  ...Object.fromEntries(plainFields.map((name) => [name, plainField])),
});

const claimWords = 'must be the path of a claim, such as user.email or ["https://x/y", email], or {path, show}';
const claimPath = () => z.union([words(), z.array(words()).min(1)], { error: claimWords });

const claim = z
  .union(
    [
      claimPath(),
      lazyObject({
        path: () => claimPath().describe('Path of the claim; a list for names that hold dots.'),
        show: () =>
          z
            .enum(['keep', 'hash'])
            .prefault('keep')
            .describe('`keep`, or `hash`: tells whether two lines are about the same. Default: keep.'),
      }),
    ],
    { error: claimWords },
  )
  .transform((value) =>
    typeof value === 'string' || Array.isArray(value) ? { path: value, show: 'keep' as const } : value,
  );

const perDecision = lazyObject({
  allow: () => share().prefault(1).describe('Share of the lines of requests that are allowed. Default: 1.'),
  answer: () => share().prefault(1).describe('Of preflights that are answered here. Default: 1.'),
  deny: () => share().prefault(1).describe('Of refusals. Default: 1.'),
  report: () => share().prefault(1).describe('Of what `mode: report` lets through. Default: 1.'),
});

const accessObject = lazyObject({
  fields: () => fields.optional().describe('What becomes of the keys of a line that may say something of people.'),
  claims: () =>
    z
      .record(
        z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, { error: 'must be a letter, then letters, digits and "_"' }),
        claim,
      )
      .refine((claims) => Object.keys(claims).length <= 32, { error: 'must be 32 claims at most' })
      .optional()
      .describe('Claims of verified tokens in the line, under `claims`: name there → path. Default: none.'),
  sample: () =>
    z
      .union([share(), perDecision], { error: 'must be a share from 0 to 1, or one by decision: {allow: 0.01}' })
      .prefault(1)
      .transform((value) => (typeof value === 'number' ? { allow: value, answer: value, deny: 1, report: 1 } : value))
      .describe(
        'Share of the lines that are written, 0 to 1: a number is for requests that are allowed, {allow, answer, deny, report} for each. What fails (5xx, broken off) always is. Default: 1.',
      ),
  hashKey: () =>
    secretText()
      .optional()
      .describe(
        'Key of `hash`, for the same hashes on every replica and after every restart. Default: a random one of each process.',
      ),
});

/** `access` of `log`. */
export const accessLog = z
  .union([flag(), accessObject], { error: 'must be true, false, or an object {fields, claims, sample}' })
  .transform((value) => {
    if (value === true) return accessObject.parse({});
    return value === false ? undefined : value;
  });

/** Undefined: no lines. */
