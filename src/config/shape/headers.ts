import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { headerName, words } from './values.ts';

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
