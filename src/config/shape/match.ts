import * as z from 'zod';
import { type ClientField, clientFields } from '../../template/client-field.ts';
import { lazyObject } from './lazy-fields.ts';
import { headerName, oneOrMore, textOrNumber, words } from './values.ts';

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
