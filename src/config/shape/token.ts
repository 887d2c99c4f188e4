import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { headerName, oneOrMore, words } from './values.ts';

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
