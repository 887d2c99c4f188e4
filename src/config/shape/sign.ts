import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { password } from './secret.ts';
import { markSensitive, secretText } from './sensitive.ts';
import { anyJson, duration, flag, headerName, httpUrl, textOrNumber, words } from './values.ts';

/** Text, or an object of which one member says where it is kept. */
const privateKeyObject = lazyObject({
  value: () => secretText().optional().describe('PEM text. Anyone who can read the config can then sign.'),
  env: () =>
    words()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be the name of an environment variable' })
      .optional()
      .describe('Name of the environment variable that holds it.'),
  file: () => words().optional().describe('Path of the PEM file, relative to the config file. Read again on reload.'),
}).superRefine((value, context) => {
  const given = Object.values(value).filter((member) => member !== undefined).length;
  if (given !== 1) context.addIssue({ code: 'custom', message: 'must have exactly one of value, env, file' });
});

const into = lazyObject({
  header: () => headerName().optional().describe('Header that gets the token. Default: Authorization.'),
  scheme: () =>
    z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9+.-]*$/, { error: 'must be a scheme such as Bearer' })
      .optional()
      .describe('Word before the token. Default: Bearer for Authorization, none for other headers.'),
  query: () => words().optional().describe('Query parameter that gets the token, instead of a header.'),
}).superRefine(({ header, scheme, query }, context) => {
  if (query !== undefined && (header !== undefined || scheme !== undefined)) {
    context.addIssue({ code: 'custom', message: 'must have header or query, not both' });
  }
});

const grant = lazyObject({
  tokenEndpoint: () =>
    httpUrl('must be the https:// URL of a token endpoint').describe(
      'Token endpoint that trades the signed assertion for an access token (RFC 7523 section 2.1).',
    ),
  insecure: () =>
    flag().prefault(false).describe('true: allow http:// to a host that is not this one. Default: false.'),
  scope: () => words().optional().describe('Scope asked for.'),
  params: () =>
    z.record(words(), secretText()).optional().describe('Further form fields, e.g. client_id and client_secret.'),
  timeout: () => duration({ minMs: 10 }).prefault('10s').describe('For one answer of the endpoint. Default: 10s.'),
});

export type GrantConfig = z.output<typeof grant>;

const jsonObject = (description: string) => z.record(z.string(), anyJson()).prefault({}).describe(description);

export const sign = lazyObject({
  algorithm: () => words().describe('JWS algorithm: HS, RS, PS or ES with 256, 384 or 512, EdDSA …'),
  secret: () => password.optional().describe('Shared secret, for HS: text, or {value | env | file, encoding}.'),
  privateKey: () =>
    z
      .union([secretText(), privateKeyObject], { error: 'must be PEM text, or an object {value | env | file}' })
      .optional()
      .describe('Private key in PEM, for all but HS. Line breaks that were pasted as \\n are repaired.'),
  kid: () =>
    z
      .union([textOrNumber(), z.null()])
      .optional()
      .describe("Key ID in the token's header. Default: the key's RFC 7638 thumbprint; none for a secret. null: none."),
  allowWeakSecret: () => flag().optional().describe('true: accept a secret shorter than the hash. Default: false.'),
  header: () => jsonObject('Further members of the JOSE header; strings are templates as in payload.'),
  payload: () =>
    jsonObject(
      'Claims of the token. Strings are templates: `${claims.…}`, `${path.…}`, `${tenant}`, `${request.id}`, or one of the words `now`, `+5m` (that much later) and `uuid`. iat and exp are there anyway.',
    ),
  lifetime: () =>
    duration({ minMs: 1000 }).optional().describe("How long a token is valid. Default: 5m, or payload's own exp."),
  publishBefore: () =>
    duration()
      .prefault('10m')
      .describe(
        'How long a new key stands in /.well-known/jwks.json before it signs: as long as verifiers keep the set. Default: 10m.',
      ),
  into: () => into.prefault({}).describe('Where the token goes. Default: Authorization: Bearer.'),
  grant: () => grant.optional().describe('Trade the token for an access token, and send that instead.'),
}).meta({ id: 'sign' });

export type SignConfig = z.output<typeof sign>;

export const rate = z
  .union(
    [
      z.string(),
      lazyObject({
        limit: () => z.string().describe('Requests in a time: 10/s, 600/m, 5000/h.'),
        burst: () =>
          z.int().min(1).max(1_000_000).optional().describe('How many may come at once. Default: one second’s worth.'),
      }),
    ],
    { error: 'must be a rate such as 10/s, or an object {limit, burst}' },
  )
  .transform((value) => (typeof value === 'string' ? { limit: value, burst: undefined } : value));

export type RateConfig = z.output<typeof rate>;

export const provision = lazyObject({
  url: () => httpUrl().describe('Called once a user, before the first of its requests goes on. A 2xx lets it through.'),
  insecure: () =>
    flag().prefault(false).describe('true: allow http:// to a host that is not this one. Default: false.'),
  method: () => z.enum(['POST', 'PUT', 'PATCH', 'GET']).prefault('POST').describe('Default: POST.'),
  timeout: () => duration({ minMs: 10 }).prefault('5s').describe('For the whole call. Default: 5s.'),
  remember: () => duration().prefault('24h').describe('How long a user counts as provisioned. Default: 24h.'),
  subject: () =>
    words()
      .prefault('${claims.sub}')
      .describe('Template of what tells users of one tenant apart. Default: ${claims.sub}.'),
  headers: () =>
    z.record(headerName(), markSensitive(words())).optional().describe('Headers of the call; values are templates.'),
  body: () =>
    z
      .record(z.string(), anyJson())
      .optional()
      .describe('JSON object that is sent; strings are templates as in sign.payload. Default: {tenant, subject}.'),
  sign: () => sign.optional().describe('Token for the call itself.'),
}).meta({ id: 'provision' });

export type ProvisionConfig = z.output<typeof provision>;
