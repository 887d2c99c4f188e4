import * as z from 'zod';
import { isRedisUrl, mayBeRedisUrl } from '../redis-url.ts';
import { Secret } from '../secret.ts';
import { lazyObject } from './lazy-fields.ts';
import { markSensitive, secretText } from './sensitive.ts';
import { duration, flag, headerName, httpUrlProblem, words } from './values.ts';

const urlWords = 'must be an https:// URL, or one such as redis://host:6379/0';

/** An address that may hold a password, as those of Redis do, is shown to nobody. */
function listUrl() {
  const isPlain = (value: unknown) => typeof value === 'string' && /^https?:\/\/[^\s@]*$/i.test(value);
  return markSensitive(z.string({ error: urlWords }), isPlain)
    .superRefine((text, context) => {
      const problem = isRedisUrl(text) ? undefined : httpUrlProblem(text, urlWords);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .transform((text) => (mayBeRedisUrl(text) ? new Secret(text) : text));
}

/** Where a list of revoked tokens comes from. */
export const revoked = lazyObject({
  file: () =>
    words()
      .optional()
      .describe('Path of the list, relative to the config file; read again on reload. Replace it by a rename.'),
  url: () =>
    listUrl()
      .optional()
      .describe(
        'URL of the list, or of the Redis where it is a set: redis://user:password@host:port/db (rediss:// with TLS). While it was never fetched, requests with tokens get 503.',
      ),
  key: () => words().optional().describe('With url of a Redis: name of the set. Default: jwtgate:revoked.'),
  refresh: () =>
    duration({ minMs: 1000 })
      .prefault('30s')
      .describe(
        'With url: fetch the list again this often; a revocation works within this time. A Redis is asked whether the set has changed, and tells of changes at once where it can. Default: 30s.',
      ),
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
  .superRefine((value, context) => {
    const { file, url } = value;
    if ((file === undefined) === (url === undefined)) {
      const message = file === undefined ? 'must have one of file, url' : 'must have only one of file and url';
      context.addIssue({ code: 'custom', message });
    }
    const inRedis = url instanceof Secret || mayBeRedisUrl(url ?? '');
    if (!inRedis && value.key !== undefined) {
      context.addIssue({ code: 'custom', path: ['key'], message: 'goes with a url of Redis (redis://…)' });
    }
    for (const name of ['headers', 'insecure'] as const) {
      if (!inRedis || value[name] === undefined) continue;
      context.addIssue({ code: 'custom', path: [name], message: 'does not go with a url of Redis' });
    }
  })
  .meta({ id: 'revoked' });

export type RevokedConfig = z.output<typeof revoked>;
