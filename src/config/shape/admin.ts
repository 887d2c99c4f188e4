import * as z from 'zod';
import { listenAddress } from './listener.ts';
import { words } from './values.ts';

const error = 'must be "host:port", "unix:/path", off, or {address, hosts}';

const whole = z
  .strictObject({
    address: listenAddress().describe('"host:port" or "unix:/path".'),
    hosts: z
      .array(words().regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, { error: 'must be a host name, without port' }))
      .optional()
      .describe(
        'Names under which it may be called, beside localhost and addresses. A page that made another name lead here is refused (DNS rebinding).',
      ),
  })
  .meta({ id: 'admin' });

export const admin = z.union(
  [
    z.literal('off').transform(() => undefined),
    listenAddress().transform((address) => ({ address, hosts: [] as readonly string[] })),
    whole.transform(({ address, hosts = [] }) => ({ address, hosts: hosts as readonly string[] })),
  ],
  { error },
);
