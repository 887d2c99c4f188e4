import type { ClientCertificate } from './client-certificate.ts';

/**
 * The head of one inbound request, as every lane builds it for the gate. Nothing in it is verified; `headers` is
 * what arrived, in order and spelling, so that the gate sees duplicates and odd names that a header map would hide.
 */
export interface RequestHead {
  /** Unique in this process's life; `${request.id}` in templates and in the access log. */
  readonly id: string;
  /** As received: method names are case-sensitive (RFC 9110 section 9.1). */
  readonly method: string;
  /** Origin-form request target as received (RFC 9112 section 3.2.1); it begins with "/". */
  readonly target: string;
  readonly httpVersion: '1.0' | '1.1' | '2';
  /** Flat name, value, name, value … list in order of arrival; values latin1-decoded, outer white space removed. */
  readonly headers: readonly string[];
  /** How the client reached this listener. */
  readonly scheme: 'http' | 'https';
  /** The socket peer's IP address, without brackets or zone; "" on a unix socket. */
  readonly peer: string;
  /** The client's certificate, verified by TLS on this connection; undefined where none was. */
  readonly clientCertificate?: ClientCertificate | undefined;
}

const noValues: readonly string[] = [];

/** Values of every header with this name (letter case ignored), in order of arrival. `lowerName` is lower case. */
export function headerValues(head: Pick<RequestHead, 'headers'>, lowerName: string): readonly string[] {
  const { headers } = head;
  let values: string[] | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== lowerName.length || name.toLowerCase() !== lowerName) continue;
    const value = headers[i + 1] as string;
    // A list that grows from nothing is given room for seventeen.
    if (values === undefined) values = [value];
    else values.push(value);
  }
  return values ?? noValues;
}

/** RFC 9112 section 6: a request has a body where one of these fields says so. */
export function announcesBody(head: Pick<RequestHead, 'headers'>): boolean {
  if (headerValues(head, 'transfer-encoding').length > 0) return true;
  return headerValues(head, 'content-length').some((length) => length.trim() !== '0');
}
