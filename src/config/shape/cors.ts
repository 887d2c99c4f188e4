import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { duration, flag, headerName, oneOrMore, words } from './values.ts';

const names = (description: string) => z.array(headerName()).optional().describe(description);

export const cors = lazyObject({
  origins: () =>
    oneOrMore(words()).describe(
      'Origins of the pages: https://app.example.com, https://*.example.com for every host below it, or "*" for all.',
    ),
  preflight: () =>
    z
      .enum(['answer', 'pass'])
      .prefault('answer')
      .describe(
        '`answer`: preflights are answered here and responses get CORS headers. `pass`: preflights go to the upstream, which speaks CORS itself; only refusals get headers here. Default: answer.',
      ),
  methods: () =>
    z
      .array(z.string().regex(/^[A-Z][A-Z0-9_-]*$/, { error: 'must be a method in capitals, such as GET' }))
      .optional()
      .describe('Methods pages may use. Default: what the preflight asks for.'),
  headers: () => names('Request headers pages may send. Default: what the preflight asks for.'),
  exposeHeaders: () => names('Response headers pages may read, beside those of refusals.'),
  credentials: () => flag().prefault(false).describe('true: pages may send cookies. Default: false.'),
  maxAge: () =>
    duration().prefault('10m').describe('How long a browser may remember the answer to a preflight. Default: 10m.'),
}).meta({ id: 'cors' });

export type CorsConfig = z.output<typeof cors>;

/** Whether pages may call is settled as a whole: nothing of the outer one is kept. */
export const corsOrOff = z.union([z.literal('off'), cors], { error: 'must be an object {origins, …}, or off' });
