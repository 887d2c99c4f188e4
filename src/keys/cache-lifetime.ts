import type { IncomingHttpHeaders } from 'node:http';

/**
 * How long a response may be kept by its own word (RFC 9111 sections 4.2.1 and 4.2.3): `max-age` less `Age`, else
 * `Expires` less `Date`; 0 for no-store and no-cache; undefined where it says nothing that can be read.
 */
export function parseCacheLifetimeMs(headers: IncomingHttpHeaders, nowMs: number): number | undefined {
  const directives = (headers['cache-control'] ?? '').toLowerCase().split(',');
  const names = directives.map((directive) => directive.trim());
  if (names.includes('no-store') || names.includes('no-cache')) return 0;
  for (const directive of names) {
    const seconds = /^max-age="?(\d{1,10})"?$/.exec(directive)?.[1];
    if (seconds === undefined) continue;
    const age = /^\d{1,10}$/.test(headers.age ?? '') ? Number(headers.age) : 0;
    return Math.max(0, Number(seconds) - age) * 1000;
  }
  if (headers.expires === undefined) return undefined;
  const expires = Date.parse(headers.expires);
  if (Number.isNaN(expires)) return 0; // RFC 9111 section 5.3: an invalid date means "in the past"
  const date = Date.parse(headers.date ?? '');
  return Math.max(0, expires - (Number.isNaN(date) ? nowMs : date));
}
