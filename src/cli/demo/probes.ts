import type { Reason } from '../../gate/reasons.ts';
import { type Cast, type DemoTenant, people } from './cast.ts';

/** One request to the gate, and what has to become of it. */
export interface Probe {
  readonly tenant: DemoTenant;
  /** What the client sends, in a few words. */
  readonly title: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly expect: Expectation;
  /** Also printed as a curl line. */
  readonly shown: boolean;
}

export type Expectation =
  /** Forwarded once: the upstream saw these headers with these values, and none of those named in `without`. */
  | {
      readonly kind: 'forwarded';
      readonly saw: Readonly<Record<string, string>>;
      readonly without: readonly string[];
      readonly target: string;
    }
  /** Answered by the gate: the upstream saw nothing. */
  | { readonly kind: 'refused'; readonly status: number; readonly reason: Reason };

/** How long the demo's good tokens are good for. */
export const tokenLifetimeS = 3600;
const expired = -60;

/** Every request that the demo shows or fires, with tokens minted now. */
export async function createProbes(cast: Cast): Promise<readonly Probe[]> {
  const [acme, globex, initech] = await Promise.all([
    cast.mint('acme', tokenLifetimeS),
    cast.mint('globex', tokenLifetimeS),
    cast.mint('initech', tokenLifetimeS),
  ]);
  const [acmeExpired, globexExpired, acmeOther] = await Promise.all([
    cast.mint('acme', expired),
    cast.mint('globex', expired),
    cast.mint('acme', tokenLifetimeS, 'mallory'),
  ]);
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
  const cookie = (token: string) => ({ Cookie: `theme=dark; session=${token}` });

  return [
    probe('acme', 'a good token', '/acme/orders', bearer(acme), forwarded('acme', '/acme/orders'), true),
    probe('acme', 'an expired token', '/acme/orders', bearer(acmeExpired), refused(401, 'tokenExpired'), true),
    probe(
      'acme',
      'a good token and a spoofed identity',
      '/acme/orders',
      { ...bearer(acme), 'X-User-Id': 'root', X_User_Role: 'admin' },
      forwarded('acme', '/acme/orders', ['x_user_role']),
      true,
    ),
    probe('acme', 'no token', '/acme/orders', {}, refused(401, 'tokenMissing')),
    probe(
      'acme',
      'a token with an altered payload',
      '/acme/orders',
      bearer(altered(acme)),
      refused(401, 'signatureInvalid'),
    ),
    probe(
      'acme',
      'a token that says alg: none',
      '/acme/orders',
      bearer(unsigned(acme)),
      refused(401, 'algorithmRefused'),
    ),
    probe(
      'acme',
      'two different tokens',
      '/acme/orders',
      { Authorization: `Bearer ${acme}, Bearer ${acmeOther}` },
      refused(400, 'tokenAmbiguous'),
    ),
    probe(
      'globex',
      'a good token in the cookie',
      '/globex/orders',
      cookie(globex),
      {
        ...forwarded('globex', '/globex/orders'),
        saw: { ...identity('globex'), cookie: 'theme=dark' },
      },
      true,
    ),
    probe(
      'globex',
      'an expired token in the cookie',
      '/globex/orders',
      cookie(globexExpired),
      refused(401, 'tokenExpired'),
    ),
    probe('globex', "a token of acme's", '/globex/orders', cookie(acme), refused(401, 'algorithmRefused')),
    probe(
      'initech',
      'a good token in the query',
      `/initech/reports?page=2&jwt=${initech}`,
      {},
      forwarded('initech', '/initech/reports?page=2'),
      true,
    ),
    probe('initech', 'its token in the wrong place', '/initech/reports', bearer(initech), refused(401, 'tokenMissing')),
  ];
}

function probe(
  tenant: DemoTenant,
  title: string,
  target: string,
  headers: Readonly<Record<string, string>>,
  expect: Expectation,
  shown = false,
): Probe {
  return { tenant, title, target, headers, expect, shown };
}

function forwarded(
  tenant: DemoTenant,
  target: string,
  without: readonly string[] = [],
): Expectation & { kind: 'forwarded' } {
  return { kind: 'forwarded', saw: identity(tenant), without, target };
}

function refused(status: number, reason: Reason): Expectation {
  return { kind: 'refused', status, reason };
}

function identity(tenant: DemoTenant): Readonly<Record<string, string>> {
  return { 'x-user-id': people[tenant].sub, 'x-user-role': people[tenant].role };
}

/** The same token for somebody else, with the signature of the first. */
function altered(token: string): string {
  const [header, , signature] = token.split('.');
  return [
    header,
    encode({ sub: 'root', role: 'admin', exp: Math.floor(Date.now() / 1000) + tokenLifetimeS }),
    signature,
  ].join('.');
}

function unsigned(token: string): string {
  return `${encode({ alg: 'none', typ: 'JWT' })}.${token.split('.')[1]}.`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
