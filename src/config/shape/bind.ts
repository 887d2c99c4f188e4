import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { count, flag, words } from './values.ts';

const bindWords = 'must be path.NAME, query.NAME, header.NAME, client.NAME, host, method or body./json/pointer';

const bindFrom = z
  .string({ error: bindWords })
  .regex(/^(?:path|query|header|client)\..+$|^host$|^method$|^body\.\/.*$/s, { error: bindWords });

const bindObject = lazyObject({
  from: () =>
    bindFrom.describe(
      'Where in the request: path.NAME, query.NAME, header.NAME, host, method or body./json/pointer; client.NAME: of its verified certificate.',
    ),
  as: () =>
    z
      .enum(['exact', 'text'])
      .optional()
      .describe(
        'How a value of the body is compared. `exact` (default): 2315 and "2315" differ. `text`: they are the same id. All else in a request is text.',
      ),
  split: () => words().optional().describe('Separator at which the value is cut; `part` says which piece is compared.'),
  part: () => count(0, 1000).optional().describe('Piece that is compared, from 0.'),
  optional: () =>
    flag()
      .optional()
      .describe('true: a request without this value passes; one with another value never does. Default: false.'),
}).refine(({ split, part }) => (split === undefined) === (part === undefined), {
  error: 'split and part go together, e.g. split: "/", part: 0',
});

const bindSource = z.union([bindFrom, bindObject], {
  error: `${bindWords}, or an object {from, as, split, part, optional}`,
});

export const bind = z.record(words(), z.union([bindSource, z.array(bindSource).min(1)]));
