import { headerValues, type RequestHead } from './request-head.ts';

const hostWithPort = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/;

/**
 * The host a request is for: lower case, without port and trailing dot (RFC 9110 section 7.2; CVE-2021-39155 is what
 * comes of comparing with case). Undefined where there is no single well-formed one.
 */
export function requestHost(head: Pick<RequestHead, 'headers'>): string | undefined {
  const values = headerValues(head, 'host');
  if (values.length !== 1) return undefined;
  const value = values[0] as string;
  if (value !== lastValue) {
    lastHost = parseHost(value);
    lastValue = value;
  }
  return lastHost;
}

/** Most requests are for the host that the one before was for. */
let lastValue = '';
let lastHost: string | undefined;

function parseHost(value: string): string | undefined {
  const host = hostWithPort.exec(value.toLowerCase())?.[1];
  return host?.endsWith('.') ? host.slice(0, -1) : host;
}
