import * as z from 'zod';
import { frontNames } from '../../gate/fronts.ts';
import { lazyObject } from './lazy-fields.ts';
import { listenAddress } from './listener.ts';

const words = 'must say where to listen and which proxy asks: {address: "host:port", front: nginx}';

export const verify = lazyObject(
  {
    address: () => listenAddress().describe('"host:port" or "unix:/path".'),
    front: () =>
      z
        .enum(frontNames)
        .describe(
          'Which proxy asks. It decides which headers tell of the original request (X-Original-* of nginx and ingress-nginx, X-Forwarded-* of traefik, caddy and haproxy, the path behind /verify of envoy), and how the answer looks.',
        ),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? words : undefined) },
).meta({ id: 'verify' });
