import type { TokenLocation } from '../gate/locate.ts';
import type { RequestHead } from '../gate/request-head.ts';

/** What begins as the header of a JWS or JWE does. */
const tokenForm = /^eyJ[\w-]*\.[\w-]*\./;

/** Where a request carries what looks like a token, whether anybody looks there or not. */
export function findStrayToken({
  headers,
  target,
}: Pick<RequestHead, 'headers' | 'target'>): TokenLocation | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const value = (headers[i + 1] as string).trim();
    if (name === 'cookie') {
      const cookie = value.split(';').find((pair) => tokenForm.test(pair.slice(pair.indexOf('=') + 1).trim()));
      if (cookie !== undefined) return { kind: 'cookie', name: cookie.slice(0, cookie.indexOf('=')).trim() };
      continue;
    }
    const [, scheme, rest] = /^([A-Za-z][\w+.-]*)[ \t]+(.*)$/.exec(value) ?? [];
    if (rest !== undefined && tokenForm.test(rest.trim())) return { kind: 'header', name, scheme };
    if (tokenForm.test(value)) return { kind: 'header', name, scheme: undefined };
  }
  const query = target.split('?', 2)[1] ?? '';
  const parameter = query.split('&').find((pair) => tokenForm.test(pair.slice(pair.indexOf('=') + 1)));
  return parameter === undefined ? undefined : { kind: 'query', name: parameter.slice(0, parameter.indexOf('=')) };
}
