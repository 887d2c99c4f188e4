import { isFieldName } from '../gate/field-name.ts';
import type { RequestBody } from '../gate/gate.ts';
import type { RequestHead } from '../gate/request-head.ts';

/** A request as somebody tells of it, without a connection on which it came. */
export interface RequestDescription {
  readonly method: string;
  /** An absolute http or https URL, or the target alone (`/path?query`), which is left as it is. */
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array | undefined;
  /** The address it comes from, for `trustedProxies`; default: 127.0.0.1. */
  readonly peer?: string | undefined;
  readonly httpVersion?: RequestHead['httpVersion'] | undefined;
}

export interface DescribedRequest {
  readonly head: RequestHead;
  readonly body: RequestBody;
}

const methodForm = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const absoluteForm = /^(https?):\/\/([^/?#\s]+)([/?][^#\s]*)?(?:#.*)?$/i;
/** RFC 9110 section 5.5: what no field value can hold. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const notInValues = /[\x00-\x08\x0a-\x1f\x7f]/;

/** Makes of a description the head that a lane would make; a problem where no such request could come. */
export function describedRequest(description: RequestDescription): DescribedRequest | { readonly problem: string } {
  const { method, headers, body, peer = '127.0.0.1', httpVersion = '1.1' } = description;
  if (!methodForm.test(method)) return { problem: `${JSON.stringify(method)} is no method` };
  const address = readUrl(description.url);
  if ('problem' in address) return address;
  const list: string[] = [];
  const has = (name: string) => headers.some(([given]) => given.toLowerCase() === name);
  if (!has('host') && address.host !== undefined) list.push('Host', address.host);
  for (const [name, value] of headers) {
    if (!isFieldName(name)) return { problem: `${JSON.stringify(name)} is no header name` };
    if (notInValues.test(value))
      return { problem: `the header ${name} holds a line break or another control character` };
    list.push(name, asBytes(value.trim()));
  }
  const bytes = body ?? new Uint8Array();
  if (bytes.length > 0 && !has('content-length') && !has('transfer-encoding')) {
    list.push('Content-Length', String(bytes.length));
  }
  const { target, scheme } = address;
  return {
    head: { id: 'explained', method, target, httpVersion, headers: list, scheme, peer },
    body: {
      read: async (maxBytes) => (bytes.length > maxBytes ? { kind: 'tooLarge' } : { kind: 'read', bytes }),
    },
  };
}

interface Address {
  readonly scheme: 'http' | 'https';
  readonly host: string | undefined;
  readonly target: string;
}

/** The target stays as it was written: what a URL parser would mend is what the gate has to see. */
function readUrl(url: string): Address | { readonly problem: string } {
  if (url.startsWith('/')) return { scheme: 'http', host: undefined, target: asBytes(url.split('#', 1)[0] as string) };
  const [, scheme, authority, rest = ''] = absoluteForm.exec(url) ?? [];
  if (scheme === undefined || authority === undefined) {
    return { problem: 'the URL must be http://… or https://…, or a path that begins with "/"' };
  }
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const target = asBytes(rest.startsWith('/') ? rest : `/${rest}`);
  return { scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http', host, target };
}

/** Bytes of UTF-8 as the one-byte characters in which lanes hand them on. */
function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
