import * as z from 'zod';
import { access, accessWords } from './access.ts';
import { bind } from './bind.ts';
import { claims } from './claims.ts';
import { corsOrOff } from './cors.ts';
import { errors } from './errors.ts';
import { headers } from './headers.ts';
import { discovery, jwks } from './jwks.ts';
import { keys } from './keys.ts';
import { lazyFields, optional } from './lazy-fields.ts';
import { match } from './match.ts';
import { mode } from './mode.ts';
import { replay } from './replay.ts';
import { revoked } from './revoked.ts';
import { routes } from './routes.ts';
import { rule, ruleWords } from './rule.ts';
import { basic, secret } from './secret.ts';
import { provision, sign } from './sign.ts';
import { token } from './token.ts';
import { upstream } from './upstream.ts';
import { duration, flag, headerName, oneOrMore, words } from './values.ts';

/**
 * Every key of a tenant. Checked key by key (see check-shape.ts), so that a value which thousands of tenants share
 * by a template is checked once.
 */
export const tenantFields = lazyFields({
  template: optional(() =>
    words().describe('Name of the template this one is laid upon: objects merge, lists and scalars replace.'),
  ),
  match: optional(() =>
    match.describe(
      'How its requests are recognised; all that an object names must hold, a list is alternatives. Needed as soon as there are two tenants.',
    ),
  ),
  upstream: optional(() => upstream.describe('Where its requests go. Default: the top-level `upstream`.')),

  secret: optional(() =>
    secret.describe(
      'Shared secret for HS256, HS384, HS512: text, or {value | env | file, encoding}; a list while one replaces another.',
    ),
  ),
  keys: optional(() => keys.describe('Public keys or certificates in PEM, or JWKs; one or a list.')),
  jwks: optional(() => jwks.describe('JWK set: a URL, {url, …}, {file}, or inline {keys: […]}.')),
  discovery: optional(() => discovery.describe('OpenID Connect issuer whose JWK set is found by its metadata.')),
  algorithms: optional(() =>
    oneOrMore(words()).describe(
      'Algorithms its tokens may have; a token never widens the list. Default: [HS256] where the only key is a secret; else it must be given.',
    ),
  ),
  kid: optional(() =>
    z
      .enum(['required', 'optional'])
      .describe(
        '`required`: a token must name its key. `optional`: one that does not is tried with every key that fits. Default: it need not where just one key fits.',
      ),
  ),
  allowWeakSecret: optional(() =>
    flag().describe(
      "true: accept a secret shorter than the algorithm's hash (RFC 7518 section 3.2). It can be guessed from one token. Default: false.",
    ),
  ),

  token: optional(() =>
    token.describe('Where tokens are looked for, in this order. Default: the Authorization header with scheme Bearer.'),
  ),
  forwardToken: optional(() =>
    z
      .enum(['keep', 'strip'])
      .describe(
        'Whether the token travels on to the upstream. Default: keep from a header, strip from query and cookie.',
      ),
  ),
  access: () => access.prefault('required').describe(`${accessWords} Default: required.`),
  mode: optional(() =>
    mode.describe(
      '`report` refuses nothing: it judges, logs and counts, and lets through without identity headers. Default: the top-level `mode`, enforce.',
    ),
  ),

  requireExp: () =>
    flag().prefault(true).describe('false: accept tokens without `exp`, which are valid for ever. Default: true.'),
  clockSkew: () =>
    duration({ maxMs: 3_600_000 })
      .prefault('5s')
      .describe('How far clocks may differ when times are compared. Default: 5s.'),
  maxAge: optional(() =>
    duration({ minMs: 1000 }).describe(
      'Oldest token accepted, by its `iat`, which it then must have. Default: any age.',
    ),
  ),
  issuer: optional(() => oneOrMore(words()).describe('Accepted values of `iss`. Default: not checked.')),
  subject: optional(() => oneOrMore(words()).describe('Accepted values of `sub`. Default: not checked.')),
  audience: optional(() =>
    oneOrMore(words()).describe(
      'Accepted values of `aud`, any of them; `any` says that none is asked for. Default: not checked, with a warning where keys come by jwks or discovery.',
    ),
  ),
  type: optional(() =>
    oneOrMore(words()).describe(
      'Accepted values of the JOSE header `typ`, e.g. at+jwt (RFC 9068). Default: not checked.',
    ),
  ),
  claims: optional(() =>
    claims.describe(
      'Conditions on claims: path to `required`, `absent`, a value, or {oneOf | contains | matches | equals}.',
    ),
  ),
  bind: optional(() =>
    bind.describe(
      'Claims that must equal a part of the request: path to path.NAME, query.NAME, header.NAME, client.NAME, host, method or body./json/pointer; a list of paths on the left means any of them, a list on the right all.',
    ),
  ),
  rule: optional(() =>
    rule.describe(`A CEL expression that must hold, for what claims and bind can't say. ${ruleWords}`),
  ),
  routes: optional(() =>
    routes.describe(
      'Paths with rules of their own; the first that fits decides. A request that none fits needs what the tenant needs.',
    ),
  ),
  revoked: optional(() =>
    revoked.describe(
      'List of its tokens that are not accepted any more, beside the top-level `revoked`: {file} or {url, …}.',
    ),
  ),
  closeAtExpiry: () =>
    flag()
      .prefault(false)
      .describe(
        'true: a WebSocket or an answer that is still streaming ends when its token expires. They end in any case when the token is revoked, or its tenant or key removed. Default: false.',
      ),
  replay: optional(() =>
    replay.describe('Its tokens are for one request each: {claim, store, …}, or off. Default: the top-level `replay`.'),
  ),
  normalizePath: () =>
    flag()
      .prefault(false)
      .describe(
        'true: a path with dot segments, encoded slashes or `//` is judged and forwarded in its plain form instead of refused. Default: false.',
      ),

  headers: optional(() =>
    headers.describe(
      'Headers the upstream gets from verified claims: name to template. Every name here is removed from all inbound requests. Default: X-Jwt-Tenant: ${tenant}, X-Jwt-Subject: ${claims.sub}.',
    ),
  ),
  payloadHeader: optional(() =>
    headerName().describe('Header that gets the whole payload of the token, as base64url JSON. Default: none.'),
  ),
  errors: optional(() => errors.describe('How refusals look, by reason; laid upon the top-level `errors`.')),

  sign: optional(() =>
    sign.describe("Token that its requests get for the upstream. Default: the upstream's own `sign`."),
  ),
  provision: optional(() =>
    provision.describe('Endpoint that is told of each user before the first of its requests goes on.'),
  ),
  basic: optional(() =>
    basic.describe(
      'User and password (HTTP Basic, RFC 7617) with which its servers may come instead of a token. The header X-Jwt-Auth tells the upstream which it was: `token` or `basic`.',
    ),
  ),
  cors: optional(() =>
    corsOrOff.describe('Which web pages may call it (CORS); off: none. Default: the top-level `cors`.'),
  ),
});

export const tenant = z.strictObject(tenantFields).meta({ id: 'tenant' });

/** A tenant with defaults filled in. */
export type TenantConfig = z.output<typeof tenant>;

/** Ids stand in URLs, headers and metrics, and are filled into path patterns: nothing there may have a meaning of its own. */
export const tenantId = z.string().regex(/^[A-Za-z0-9._~:@/+=-]{1,128}$/, {
  error: 'must be an id: letters, digits and . _ ~ : @ / + = - (at most 128)',
});
