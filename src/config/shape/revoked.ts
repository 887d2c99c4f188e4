import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { secretText } from './sensitive.ts';
import { duration, flag, headerName, httpUrl, words } from './values.ts';

/** Where a list of revoked tokens comes from. */
export const revoked = lazyObject({
  file: () =>
    words()
      .optional()
      .describe('Path of the list, relative to the config file; read again on reload. Replace it by a rename.'),
  url: () =>
    httpUrl().optional().describe('URL of the list. While it was never fetched, requests with tokens get 503.'),
  refresh: () =>
    duration({ minMs: 1000 })
      .prefault('30s')
      .describe('With url: fetch the list again this often; a revocation works within this time. Default: 30s.'),
  timeout: () =>
    duration({ minMs: 10, maxMs: 600_000 })
      .prefault('10s')
      .describe('With url: longest wait for the whole list. Default: 10s.'),
  headers: () =>
    z
      .record(headerName(), secretText())
      .optional()
      .describe('With url: request headers for the fetch, e.g. Authorization.'),
  ca: () =>
    words()
      .optional()
      .describe(
        'With url: CA certificates that its server must be certified by: a path, or PEM text. Default: the public CAs.',
      ),
  required: () =>
    flag()
      .prefault(false)
      .describe(
        'With url: true: /readyz answers 503 until the list was fetched once. What fails after that never unreadies. Default: false.',
      ),
  insecure: () =>
    flag()
      .optional()
      .describe(
        'With url: true: allow http:// to another machine. Whoever sits between can then leave entries out. Default: false.',
      ),
})
  .superRefine(({ file, url }, context) => {
    if ((file === undefined) !== (url === undefined)) return;
    const message = file === undefined ? 'must have one of file, url' : 'must have only one of file and url';
    context.addIssue({ code: 'custom', message });
  })
  .meta({ id: 'revoked' });

export type RevokedConfig = z.output<typeof revoked>;
