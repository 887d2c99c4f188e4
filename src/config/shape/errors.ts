import * as z from 'zod';
import { type Reason, reasonNames, reasons } from '../../gate/reasons.ts';
import { lazyObject } from './lazy-fields.ts';
import { anyJson, count, words } from './values.ts';

const errorEntry = lazyObject({
  status: () => count(400, 599).optional().describe("HTTP status. Default: the reason's own."),
  code: () =>
    z
      .union([z.number(), words()], { error: 'must be a number or text' })
      .optional()
      .describe('An error code of your own; `${code}` in `body`. A number stays one.'),
  message: () =>
    words().optional().describe("What the client is told; `${message}` in `body`. Default: the reason's own text."),
}).meta({ id: 'error' });

const byReason = Object.fromEntries(
  reasonNames.map((reason) => [
    reason,
    () => errorEntry.optional().describe(`${reasons[reason].text}. Default status: ${reasons[reason].status}.`),
  ]),
) as Record<Reason, () => z.ZodOptional<typeof errorEntry>>;

export const errors = lazyObject({
  ...byReason,
  default: () => errorEntry.optional().describe('For reasons without an entry of their own.'),
  body: () =>
    anyJson()
      .optional()
      .describe(
        'Body of every refusal: JSON (or text) in which `${message}`, `${code}`, `${reason}` and `${request.id}` are filled; a member that is `${code}` alone keeps its type. Default: problem+json (RFC 9457).',
      ),
}).meta({ id: 'errors' });

export type ErrorsConfig = z.output<typeof errors>;
