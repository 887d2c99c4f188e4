import { foldName } from '../../src/gate/field-name.ts';
import { judgedNames } from '../../src/gate/headers.ts';
import { compileIdentityHeader, type IdentityHeader } from '../../src/gate/identity-headers.ts';
import { defaultLocations } from '../../src/gate/locate.ts';
import { compilePathPattern, type PathPattern } from '../../src/gate/path.ts';
import type { Policy, Route, Tenant, Upstream } from '../../src/gate/policy.ts';
import { compileRecognition, type MatchAlternative } from '../../src/gate/recognise.ts';
import { compileErrorFormat } from '../../src/gate/refuse.ts';
import { sendAsIs } from '../../src/gate/send.ts';
import { importSecret } from '../../src/keys/import-secret.ts';
import { createKeyRing, staticKeys } from '../../src/keys/key-ring.ts';
import { inOneGo } from './in-one-go.ts';

/** Policies made by hand, for tests of the gate alone. */
export const secretOf = (id: string) => `secret-of-${id}-${'x'.repeat(32)}`;

const testUpstream: Upstream = {
  key: 'http://127.0.0.1:3000',
  scheme: 'http',
  host: '127.0.0.1',
  port: 3000,
  socketPath: undefined,
  basePath: '',
  maxConnections: 100,
  tls: undefined,
  hostHeader: 'preserve',
  mediaType: undefined,
};

export function pathPattern(text: string): PathPattern {
  const pattern = compilePathPattern(text);
  if ('problem' in pattern) throw new Error(pattern.problem);
  return pattern;
}

export function identityHeader(name: string, value: string): IdentityHeader {
  const header = compileIdentityHeader(name, { value });
  if ('problem' in header) throw new Error(header.problem);
  return header;
}

export type TestTenant = Partial<Omit<Tenant, 'id' | 'routes'>> & {
  readonly match?: readonly MatchAlternative[];
  readonly routes?: readonly Partial<Route>[];
  readonly kid?: string;
};

/** Tenants with an HS256 secret each (`secretOf(id)`), and sober defaults for whatever is not said. */
export function testPolicy(tenants: Readonly<Record<string, TestTenant>>, more: Partial<Policy> = {}): Policy {
  const compiled = Object.entries(tenants).map(([id, spec]) => [id, testTenant(id, spec)] as const);
  const matches = Object.entries(tenants).map(([id, { match = [], locations = defaultLocations }]) => ({
    id,
    match,
    locations,
  }));
  const emitted = compiled.flatMap(([, { identityHeaders }]) => identityHeaders.map(({ name }) => name));
  const reserved = [...emitted, 'X-Jwt-Tenant', 'X-Jwt-Subject', 'X-Jwt-Auth', 'X-Jwt-Payload'];
  return {
    generation: 1,
    hash: '',
    tenants: new Map(compiled),
    recognise: inOneGo(compileRecognition(matches)).recognise,
    reservedNames: new Set(reserved.map(foldName)),
    judgedNames: judgedNames(['Authorization']),
    verdictNames: new Set(['authorization', ...reserved.map((name) => name.toLowerCase())]),
    loggedClaims: [],
    isTrustedProxy: () => false,
    unrecognised: undefined,
    errors: compileErrorFormat({ byReason: {} }),
    cors: undefined,
    limits: { headerBytes: 16384, headerCount: 100, tokenBytes: 8192, bodyBytes: 65536 },
    timeouts: { headerMs: 1000, idleMs: 1000, connectMs: 1000, responseMs: 1000, drainDelayMs: 0, drainMs: 1000 },
    ...more,
  };
}

function testTenant(id: string, { match: _match, kid, routes = [], ...spec }: TestTenant): Tenant {
  const algorithms = new Set(['HS256']);
  const secret = importSecret(Buffer.from(secretOf(id)), { kid }, algorithms);
  if (!('verify' in secret)) throw new Error('no key');
  return {
    id,
    fingerprint: `fingerprint of ${id}`,
    mode: 'enforce',
    upstream: testUpstream,
    locations: defaultLocations,
    algorithms,
    keys: createKeyRing([staticKeys([secret])], { algorithms, kid: 'auto' }),
    checks: {
      requireExp: true,
      clockSkewS: 5,
      maxAgeS: undefined,
      issuers: undefined,
      subjects: undefined,
      audiences: undefined,
      types: undefined,
    },
    access: 'required',
    claims: [],
    binds: [],
    rules: [],
    identityHeaders: [identityHeader('X-Jwt-Tenant', id), identityHeader('X-Jwt-Subject', '${claims.sub}')],
    payloadHeader: undefined,
    forwardToken: undefined,
    normalizePath: false,
    errors: compileErrorFormat({ byReason: {} }),
    basic: undefined,
    tellsWay: spec.basic !== undefined,
    cors: undefined,
    sending: sendAsIs,
    revocations: [],
    replay: undefined,
    closeAtExpiry: false,
    routes: routes.map((route) => ({
      path: pathPattern('/**'),
      methods: undefined,
      access: 'required',
      claims: [],
      binds: [],
      rules: [],
      normalizePath: false,
      cors: undefined,
      basic: undefined,
      replay: undefined,
      ...route,
    })),
    ...spec,
  };
}
