import { isIPv4 } from 'node:net';
import { quoteForLog } from './quote-for-log.ts';

/** Is this URL's host a name or an address of this machine? */
export function isLoopback(url: URL): boolean {
  return nameIn(url).endsWith('.localhost') || staysHere(url);
}

/**
 * Does this URL's host lead to this machine, whatever the resolver says? `localhost` is resolved by nobody else
 * (see `lookupFor`); of names below it RFC 6761 section 6.3 says that they should lead here, and resolvers ask the
 * network for them all the same.
 */
export function staysHere(url: URL): boolean {
  const name = nameIn(url);
  return name === 'localhost' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}

function nameIn({ hostname }: URL): string {
  return hostname.toLowerCase().replace(/\.$/, '');
}

/**
 * Reads the address of a key provider. Keys that came over plain HTTP are anybody's keys, so http is for loopback
 * only, unless `insecure` was configured in so many words.
 */
export function parseProviderUrl(text: string, insecure: boolean): URL | { readonly problem: string } {
  const url = URL.parse(text);
  if (url === null) return { problem: `${quoteForLog(text)} is not a URL` };
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { problem: 'the URL must begin with https://' };
  if (url.username !== '' || url.password !== '') {
    return { problem: 'the URL holds credentials: put them in headers, where they are kept out of logs' };
  }
  if (url.hash !== '') return { problem: 'the URL has a fragment, which is never sent' };
  if (url.protocol === 'http:' && !insecure && !staysHere(url)) {
    return { problem: 'keys over plain http can be replaced on the way: use https, or insecure: true' };
  }
  return url;
}

/** An address fit for logs and pages: its query may hold an API key. */
export function displayUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === '' ? '' : '?...'}`;
}
