import { isIP } from 'node:net';

/** What of a request to the admin listener says where it comes from. */
export interface AdminCaller {
  readonly method: string;
  /** Every value that came under the name Host. */
  readonly hosts: readonly string[];
  readonly origin: string | undefined;
  readonly contentType: string | undefined;
  /** Sec-Fetch-Site (Fetch Metadata): what the browser itself says; undefined from other clients. */
  readonly fetchSite: string | undefined;
}

const hostForm = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;

/**
 * Why a request is not answered, or undefined. A web page must not reach the listener through its visitor's browser:
 * not under a name that it made lead here (DNS rebinding), and nothing changes by what it can send unasked (a form, an
 * image). Addresses and localhost can't be rebound; POST takes JSON alone, which no page sends across origins unasked.
 */
export function findIntrusion(
  { method, hosts, origin, contentType, fetchSite }: AdminCaller,
  allowedNames: readonly string[],
): string | undefined {
  const [host] = hosts;
  if (host === undefined || hosts.length > 1) return 'one Host is needed';
  if (!isOwnHost(host, allowedNames)) return 'this Host is not known here: see admin.hosts';
  if (origin !== undefined && !isSameOrigin(origin, host)) return 'this Origin may not ask here';
  if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none')
    return 'another site may not ask here';
  if (method !== 'POST') return undefined;
  return /^application\/json\s*(?:;|$)/i.test(contentType ?? '')
    ? undefined
    : 'a POST needs Content-Type: application/json';
}

function isOwnHost(host: string, allowedNames: readonly string[]): boolean {
  const name = hostForm.exec(host)?.[1]?.toLowerCase();
  if (name === undefined) return false;
  const bare = name.replace(/^\[|\]$/g, '');
  return name === 'localhost' || isIP(bare) !== 0 || allowedNames.some((allowed) => allowed.toLowerCase() === name);
}

/** Same scheme, host and port as the one that was called (RFC 6454 section 5). TLS in front of the listener is allowed for. */
function isSameOrigin(origin: string, host: string): boolean {
  const [, rest] = /^https?:\/\/(.*)$/i.exec(origin) ?? [];
  return rest?.toLowerCase() === host.toLowerCase();
}
