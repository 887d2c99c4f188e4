import { generateKeyPairSync } from 'node:crypto';
import type { InitKind } from './init-kinds.ts';
import { newSecret, type PrivateFile } from './new-secret.ts';

export interface Answers {
  readonly kind: InitKind;
  readonly upstream: string;
  readonly issuer: string;
  readonly audience: string;
  readonly jwks: string;
  /** Environment variable with the secret; undefined: a file. */
  readonly secretEnv: string | undefined;
}

export interface StartingConfig {
  readonly text: string;
  /** What the config names and nobody has yet. */
  readonly files: readonly PrivateFile[];
  /** Commands to go on with. */
  readonly next: (answers: Answers) => readonly string[];
}

/** Text as YAML takes it, whatever is in it. */
const quoted = (text: string): string =>
  /^(?!true$|false$|null$)[A-Za-z][\w./:-]*[\w/]$/i.test(text) ? text : JSON.stringify(text);

const head = (what: string): string => `# jwtgate: ${what}.
# Every key: jwtgate schema > config.schema.json, and in an editor with a YAML language server, as first line:
#   # yaml-language-server: $schema=./config.schema.json
`;

const checks = ({ issuer, audience }: Answers): string => `    issuer: ${quoted(issuer)}
    # Whom tokens are for. Without it, tokens that the issuer made for others would do; "any" says that they may.
    audience: ${quoted(audience)}
`;

const upToYou = `    # Verified claims that the upstream gets. Clients can't send these headers themselves.
    headers:
      X-User-Id: \${claims.sub}
      X-User-Email: \${claims.email}
    # Conditions on claims, for every request:
    # claims: {scope: {contains: read}}
    # Paths with rules of their own; the first that fits decides:
    # routes:
    #   - {path: /health, access: public}
    #   - {path: "/accounts/{account}/**", bind: {account: path.account}}
    #   - {path: /admin/**, rule: '"admin" in claims.roles'}
`;

const listeners = (upstream: string, more = ''): string => `listen: 0.0.0.0:8080
upstream: ${quoted(upstream)}
ops: 0.0.0.0:9901                 # /livez /readyz /metrics; keep it inside
${more}# trustedProxies: [10.0.0.0/8]    # whose X-Forwarded-* are believed

tenants:
  main:
`;

const admin = 'admin: 127.0.0.1:9902             # status page, and why requests were refused\n';
const nothing = () => [];

function oidc(answers: Answers): StartingConfig {
  const text = `${head('verifies the tokens of an OpenID Connect issuer')}
${listeners(answers.upstream, admin)}    # Keys are found by the issuer's metadata, and fetched again as they change.
    discovery: ${quoted(answers.issuer)}
    algorithms: [RS256]           # what the issuer signs with: RS256, ES256, EdDSA …
${checks(answers)}${upToYou}`;
  return { text, files: [], next: nothing };
}

function jwks(answers: Answers): StartingConfig {
  const text = `${head('verifies tokens with the keys of a JWK set')}
${listeners(answers.upstream, admin)}    jwks: ${quoted(answers.jwks)}
    algorithms: [RS256]           # what the keys are for: RS256, ES256, EdDSA …
${checks(answers)}${upToYou}`;
  return { text, files: [], next: nothing };
}

const secretFile = 'secrets/main.secret';

function secret(answers: Answers): StartingConfig {
  const { secretEnv } = answers;
  const source = secretEnv === undefined ? `{file: ${secretFile}, encoding: base64url}` : `{env: ${quoted(secretEnv)}}`;
  const signing =
    secretEnv === undefined ? `--secret-file ${secretFile} --secret-encoding base64url` : `--secret-env ${secretEnv}`;
  const text = `${head('verifies tokens that are signed with a shared secret')}
${listeners(answers.upstream, admin)}    # Whoever has it can make tokens: give it to the issuer, and to nobody else. encoding: utf8, base64, base64url or hex
    secret: ${source}
    algorithms: [HS256]
    # issuer: ${quoted(answers.issuer)}
    # audience: ${quoted(answers.audience)}
    # Tokens without exp are good for ever; to accept them all the same:
    # requireExp: false
${upToYou}`;
  const files = secretEnv === undefined ? [{ name: secretFile, make: newSecret }] : [];
  const curl = 'curl -i http://127.0.0.1:8080/ -H "Authorization: Bearer $TOKEN"';
  return { text, files, next: () => [`TOKEN=$(jwtgate token sign ${signing} --claim sub=me)`, curl] };
}

function sidecar(answers: Answers): StartingConfig {
  const text = `${head('a sidecar: the app listens on 127.0.0.1 alone, and what reaches it has been verified')}
# Run it as an init container with restartPolicy: Always, args: [run, --watch]; mount the ConfigMap as a directory.
${listeners(answers.upstream, '# The app must not be reachable past it: bind it to loopback, or fence the pod with a NetworkPolicy.\n')}    discovery: ${quoted(answers.issuer)}
    algorithms: [RS256]
${checks(answers)}${upToYou}
timeouts:
  drainDelay: 3s                  # goes on serving while endpoints are withdrawn
  drain: 20s                      # both together below terminationGracePeriodSeconds (30 s)
`;
  return { text, files: [], next: nothing };
}

const keyFile = 'secrets/signing.pem';

function egress(answers: Answers): StartingConfig {
  const text = `${head('requests that leave get a token of yours')}
listen: 127.0.0.1:8080            # for the service that calls the API
ops: 127.0.0.1:9901               # also /.well-known/jwks.json, for the API to verify with

upstream:
  url: ${quoted(answers.upstream)}
  hostHeader: upstream            # the API's own name, not the one that callers used
  sign:
    algorithm: ES256
    privateKey: {file: ${keyFile}}
    kid: "1"
    lifetime: 5m
    payload:
      iss: ${quoted(answers.issuer)}
      aud: ${quoted(answers.audience)}

tenants:
  main: {access: public}          # callers need no token of their own: keep the listener on loopback
`;
  const make = (): string =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    text,
    files: [{ name: keyFile, make }],
    next: () => ['curl -s http://127.0.0.1:9901/.well-known/jwks.json'],
  };
}

export const startingConfigs: Readonly<Record<InitKind, (answers: Answers) => StartingConfig>> = {
  oidc,
  jwks,
  secret,
  sidecar,
  egress,
};
