/**
 * Fields that belong to one connection (RFC 9110 section 7.6.1) or frame one message (RFC 9112 section 6): the lane
 * writes its own and copies none of them.
 */
export const requestConnectionFields: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Hop-by-hop in an answer: the above (Content-Length is treated apart), and the challenge of a proxy behind us. */
export const responseConnectionFields: ReadonlySet<string> = new Set([
  ...[...requestConnectionFields].filter((name) => name !== 'content-length' && name !== 'expect'),
  'proxy-authenticate',
  'proxy-authentication-info',
  'te',
]);

/**
 * Fields that mean nothing good in a trailer section (RFC 9110 section 6.5.1): framing, routing, request modifiers,
 * authentication, and what describes the content. An upstream that merges trailers into headers would obey them.
 */
const headerOnlyFields: ReadonlySet<string> = new Set([
  ...requestConnectionFields,
  'age',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'forwarded',
  'host',
  'location',
  'max-forwards',
  'origin',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'retry-after',
  'set-cookie',
  'te',
  'vary',
  'via',
  'warning',
  'www-authenticate',
]);

/** Names, lower case, that the Connection fields of a message nominate as its own hop's (RFC 9110 section 7.6.1). */
export function nominatedNames(headers: readonly string[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() !== 'connection') continue;
    for (const option of (headers[i + 1] as string).split(',')) names.add(option.trim().toLowerCase());
  }
  return names;
}

/** May a field of this name, in a final list from the gate, be copied as it is? What may not is the lane's to write. */
export function isRequestField(lowerName: string): boolean {
  return !requestConnectionFields.has(lowerName);
}

/** May a field of this name pass from an upstream's answer to the client? */
export function isResponseField(lowerName: string): boolean {
  return !responseConnectionFields.has(lowerName);
}

/** May a field of this name stand in a trailer section? `If-*`, `X-Forwarded-*` and `Sec-*` steer requests, too. */
export function isTrailerField(lowerName: string): boolean {
  return !headerOnlyFields.has(lowerName) && !/^(?:if-|x-forwarded-|sec-)/.test(lowerName);
}

/** The name, value pairs of a flat list whose lower-case name is to be kept, still as a flat list. */
export function keepFields(list: readonly string[], keep: (lowerName: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    if (keep((list[i] as string).toLowerCase())) kept.push(list[i] as string, list[i + 1] as string);
  }
  return kept;
}
