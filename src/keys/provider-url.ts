import { isIPv4 } from 'node:net';
import { quoteForLog } from './quote-for-log.ts';

/** Does this URL's host lead to this machine, whatever the resolver says? */
export function isLoopback({ hostname }: URL): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost') || name === '[::1]') return true;
  return isIPv4(name) && name.startsWith('127.');
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
  if (url.protocol === 'http:' && !insecure && !isLoopback(url)) {
    return { problem: 'keys over plain http can be replaced on the way: use https, or insecure: true' };
  }
  return url;
}

/** An address fit for logs and pages: its query may hold an API key. */
export function displayUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === '' ? '' : '?...'}`;
}
