import * as z from 'zod';
import { type ClientField, clientFields } from '../../template/client-field.ts';
import { cors } from './cors.ts';
import { basic } from './keys.ts';
import { lazyObject } from './lazy-fields.ts';
import { replay } from './replay.ts';
import { anyJson, count, flag, headerName, oneOrMore, textOrNumber, words } from './values.ts';

/* What is judged of a request and its token: match, token locations, claims, bind, routes. */

/** Name → value that must be equal; null: that must not be there. */
const ids = (keys: z.ZodType<string, string>, description: string) =>
  z
    .record(keys, z.union([textOrNumber(), z.null()], { error: 'must be text, a number, or null for absent' }))
    .refine((value) => Object.keys(value).length > 0, { error: 'must name at least one' })
    .optional()
    .describe(description);

const clientFieldWords: Readonly<Record<ClientField, string>> = {
  subject: 'Distinguished name by RFC 4514: `CN=device-1,O=Example`.',
  commonName: 'The one common name of the subject.',
  issuer: "The CA's distinguished name.",
  serialNumber: 'Hexadecimal, upper case.',
  fingerprint: 'SHA-256 of the certificate: hexadecimal, lower case, without colons.',
  thumbprint: 'The same as base64url: `x5t#S256` of RFC 8705.',
  dns: 'The one host name among the alternative names.',
  uri: 'The one URI among the alternative names, such as a SPIFFE ID.',
  email: 'The one e-mail address among the alternative names.',
  ip: 'The one IP address among the alternative names.',
};

const clientMatch = z
  .strictObject(
    Object.fromEntries(
      clientFields.map((name) => [name, z.union([words(), z.null()]).optional().describe(clientFieldWords[name])]),
    ) as Record<ClientField, z.ZodOptional<z.ZodUnion<readonly [z.ZodString, z.ZodNull]>>>,
  )
  .refine((value) => Object.values(value).some((member) => member !== undefined), {
    error: 'must name at least one',
  });

const matchObject = lazyObject({
  host: () =>
    words()
      .regex(/^(?:\*\.)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$|^\[[0-9A-Fa-f:.]+\]$/, {
        error: 'must be a host name, or *.suffix for every host below it (without port)',
      })
      .optional()
      .describe('Host the request is for: exact, or `*.suffix`. Letter case and port do not matter.'),
  path: () =>
    words().optional().describe('Path pattern: `/a/{name}/**`. `{name}` is one segment, `**` at the end is any rest.'),
  header: () =>
    ids(
      headerName(),
      'Header values of the request that must be equal; null: no such header. Anyone can send them: they only choose.',
    ),
  query: () => ids(words(), 'Query parameters of the request that must be equal; null: no such parameter.'),
  client: () =>
    clientMatch
      .optional()
      .describe(
        "Fields of the client's certificate that must be equal; null: no such field, or no certificate. TLS has verified them: see listen.tls.clientCa.",
      ),
  basicUser: () => words().optional().describe('User of HTTP Basic credentials, which must then be those of `basic`.'),
  kid: () => textOrNumber().optional().describe("The token's key ID. A number in a token is compared as its text."),
  issuer: () => words().optional().describe("The token's `iss` claim."),
  tokenHeader: () => ids(words(), "Members of the token's JOSE header, e.g. {iss: https://…}; null: no such member."),
  claim: () => ids(words(), 'Claims of the token, by path, e.g. {tid: 4711}; null: no such claim.'),
})
  .refine((value) => Object.values(value).some((member) => member !== undefined), {
    error: 'must name at least one thing to recognise the tenant by',
  })
  .meta({ id: 'match' });

export type MatchConfig = z.output<typeof matchObject>;

export const match = oneOrMore(matchObject);

export const tokenLocation = lazyObject({
  header: () => headerName().optional().describe('Name of the header that holds the token.'),
  scheme: () =>
    z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9+.-]*$/, { error: 'must be a scheme such as Bearer' })
      .optional()
      .describe('Word before the token, letter case ignored. Default: none, the header holds the bare token.'),
  query: () =>
    words().optional().describe('Name of the query parameter. Tokens in URLs end up in logs: prefer a header.'),
  cookie: () =>
    z
      .string()
      .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, { error: 'must be a cookie name (RFC 6265)' })
      .optional()
      .describe('Name of the cookie. Browsers send it by themselves: guard against cross-site requests.'),
  websocketProtocol: () =>
    z
      .string()
      .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, { error: 'must be the beginning of a protocol, such as bearer.' })
      .optional()
      .describe(
        'Beginning of the entry of Sec-WebSocket-Protocol behind which the token stands, e.g. bearer. It does not travel on; the client has to offer another entry for the upstream to choose.',
      ),
})
  .superRefine(({ header, scheme, query, cookie, websocketProtocol }, context) => {
    const given = [header, query, cookie, websocketProtocol].filter((one) => one !== undefined).length;
    const message = 'must have exactly one of header, query, cookie, websocketProtocol';
    if (given !== 1) context.addIssue({ code: 'custom', message });
    if (scheme !== undefined && header === undefined) {
      context.addIssue({ code: 'custom', path: ['scheme'], message: 'goes with header only' });
    }
  })
  .meta({ id: 'tokenLocation' });

export type TokenLocationConfig = z.output<typeof tokenLocation>;

export const token = oneOrMore(tokenLocation);

const conditionWords = 'must be required, absent, a value, or {oneOf | contains | matches | equals}';

const conditionObject = lazyObject({
  oneOf: () =>
    z
      .array(anyJson())
      .min(1, { error: 'must not be an empty list' })
      .optional()
      .describe('The claim equals one of these.'),
  contains: () =>
    anyJson()
      .optional()
      .describe('The claim, a list, or text of words with spaces between, holds this value; a list here: all of them.'),
  matches: () =>
    words()
      .optional()
      .describe('The whole claim, a text, matches this RE2 expression (no back-references; linear time).'),
  equals: () => anyJson().optional().describe('The claim equals this value, of the same type.'),
})
  .refine((value) => Object.values(value).some((member) => member !== undefined), { error: conditionWords })
  .meta({ id: 'condition' });

const condition = z.union([z.string(), z.number(), z.boolean(), conditionObject], { error: conditionWords });

export type ConditionConfig = z.output<typeof condition>;

export const claims = z.record(words(), condition);

const bindWords = 'must be path.NAME, query.NAME, header.NAME, client.NAME, host, method or body./json/pointer';

const bindFrom = z
  .string({ error: bindWords })
  .regex(/^(?:path|query|header|client)\..+$|^host$|^method$|^body\.\/.*$/s, { error: bindWords });

const bindObject = lazyObject({
  from: () =>
    bindFrom.describe(
      'Where in the request: path.NAME, query.NAME, header.NAME, host, method or body./json/pointer; client.NAME: of its verified certificate.',
    ),
  as: () =>
    z
      .enum(['exact', 'text'])
      .optional()
      .describe(
        'How a value of the body is compared. `exact` (default): 2315 and "2315" differ. `text`: they are the same id. All else in a request is text.',
      ),
  split: () => words().optional().describe('Separator at which the value is cut; `part` says which piece is compared.'),
  part: () => count(0, 1000).optional().describe('Piece that is compared, from 0.'),
  optional: () =>
    flag()
      .optional()
      .describe('true: a request without this value passes; one with another value never does. Default: false.'),
}).refine(({ split, part }) => (split === undefined) === (part === undefined), {
  error: 'split and part go together, e.g. split: "/", part: 0',
});

const bindSource = z.union([bindFrom, bindObject], {
  error: `${bindWords}, or an object {from, as, split, part, optional}`,
});

export const bind = z.record(words(), z.union([bindSource, z.array(bindSource).min(1)]));

export const rule = words();

export const ruleWords =
  'It speaks of claims, token, request and tenant, e.g. claims.level >= 3 && request.method == "GET"; see docs/rules.md.';

export const access = z.enum(['required', 'optional', 'public'], { error: 'must be required, optional or public' });

const accessWords =
  '`required`: a valid token. `optional`: no token passes without identity, a bad one is refused. `public`: no token is looked at, and none travels on.';

/** Whether pages may call is settled as a whole: nothing of the outer one is kept. */
export const corsOrOff = z.union([z.literal('off'), cors], { error: 'must be an object {origins, …}, or off' });

const route = lazyObject({
  path: () => words().describe('Path pattern: `/a/{name}/**`. The first route whose path and method fit decides.'),
  methods: () =>
    oneOrMore(z.string().regex(/^[A-Z][A-Z0-9_-]*$/, { error: 'must be a method in capitals, such as GET' }))
      .optional()
      .describe('Methods it is for. Default: all. HEAD and OPTIONS are methods like any other.'),
  access: () => access.optional().describe(`${accessWords} Default: the tenant's.`),
  claims: () => claims.optional().describe("Conditions on claims, beside the tenant's own."),
  bind: () => bind.optional().describe("Claims that must equal parts of the request, beside the tenant's own."),
  rule: () => rule.optional().describe(`A CEL expression that must hold, beside the tenant's own. ${ruleWords}`),
  replay: () =>
    replay
      .optional()
      .describe(
        "A request here takes its token's one use: {claim, store, …}; off: it takes none. Default: the tenant's `replay`.",
      ),
  basic: () =>
    z
      .union([z.literal('off'), basic], { error: 'must be an object {user, password}, or off' })
      .optional()
      .describe(
        "User and password (HTTP Basic) that are accepted here in place of the tenant's; off: tokens alone. Default: the tenant's `basic`.",
      ),
  cors: () =>
    corsOrOff
      .optional()
      .describe(
        "Which web pages may call it (CORS), in place of the tenant's; off: none. Default: the tenant's `cors`.",
      ),
  normalizePath: () =>
    flag()
      .optional()
      .describe(
        "true: a path with dot segments, encoded slashes or `//` is judged and forwarded in its plain form instead of refused. Default: the tenant's.",
      ),
}).meta({ id: 'route' });

export type RouteConfig = z.output<typeof route>;

export const routes = z.array(route);

const headerTemplate = words('must be text, such as ${claims.sub}');

const headerObject = lazyObject({
  value: () =>
    headerTemplate.describe(
      'Text in which `${claims.…}`, `${path.…}`, `${client.…}`, `${request.id}` and `${tenant}` are filled.',
    ),
  list: () =>
    z
      .enum(['comma', 'json', 'repeat'])
      .prefault('comma')
      .describe('How a list is written: joined by commas (default), as JSON, or one header line a member.'),
  encode: () =>
    z
      .enum(['reject', 'percent', 'base64url', 'rfc8187'])
      .prefault('reject')
      .describe('What happens to characters that a header cannot carry. `reject` (default) refuses the request.'),
}).meta({ id: 'header' });

export type HeaderConfig = z.output<typeof headerObject>;

export const headers = z.record(
  headerName(),
  z
    .union([headerTemplate, headerObject], { error: 'must be text, or an object {value, list, encode}' })
    .transform(
      (value): HeaderConfig => (typeof value === 'string' ? { value, list: 'comma', encode: 'reject' } : value),
    ),
);

export const accessDescription = accessWords;
