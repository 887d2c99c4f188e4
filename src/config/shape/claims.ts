import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { anyJson, words } from './values.ts';

const conditionWords = 'must be required, absent, a value, or {oneOf | contains | matches | equals}';

const conditionObject = lazyObject({
  oneOf: () =>
    z
      .array(anyJson())
      .min(1, { error: 'must not be an empty list' })
      .optional()
      .describe('The claim equals one of these.'),
  contains: () =>
    anyJson()
      .optional()
      .describe('The claim, a list, or text of words with spaces between, holds this value; a list here: all of them.'),
  matches: () =>
    words()
      .optional()
      .describe(
        'The whole claim, a text, matches this RE2 expression (no back-references; linear time), which is of at most 1,000 instructions: `.{1,255}` takes 511, `.+` four. A text too long for the expression to be judged at once does not match.',
      ),
  equals: () => anyJson().optional().describe('The claim equals this value, of the same type.'),
})
  .refine((value) => Object.values(value).some((member) => member !== undefined), { error: conditionWords })
  .meta({ id: 'condition' });

const condition = z.union([z.string(), z.number(), z.boolean(), conditionObject], { error: conditionWords });

export const claims = z.record(words(), condition);
