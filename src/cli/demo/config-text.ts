import { type Cast, globexAudience, globexIssuer } from './cast.ts';

export interface Addresses {
  /** All "host:port". */
  readonly gate: string;
  readonly ops: string;
  readonly upstream: string;
  readonly keyServer: string;
}

/** Name of the environment variable that carries acme's secret: it is in no file. */
export const acmeSecretVariable = 'JWTGATE_DEMO_ACME_SECRET';

/** The config that the demo runs on, as a person would write it. */
export function demoConfig(cast: Cast, { gate, ops, upstream, keyServer }: Addresses): string {
  return `# Written by "jwtgate demo" for this one run. Change it, then: kill -HUP ${process.pid}
listen: ${gate}
ops: ${ops}
upstream: http://${upstream}

templates:
  app:                                   # what the three have in common
    match: {path: "/\${tenant}/**"}
    headers:                             # verified claims that the upstream gets
      X-User-Id: \${claims.sub}
      X-User-Role: \${claims.role}

tenants:
  acme:                                  # a shared secret; the token comes in the Authorization header
    template: app
    algorithms: [HS256]
    secret: {env: ${acmeSecretVariable}, encoding: base64}

  globex:                                # keys from an identity provider's JWKS; the token comes in a cookie
    template: app
    algorithms: [RS256]
    jwks: http://${keyServer}/.well-known/jwks.json
    issuer: ${globexIssuer}
    audience: ${globexAudience}
    token: [{cookie: session}]

  initech:                               # one public key; the token comes in the query
    template: app
    algorithms: [EdDSA]
    keys:
      - |
${cast.initechPublicKey.trim().replace(/^/gm, '        ')}
    token: [{query: jwt}]
`;
}
