import { isRequestField } from './field-lists.ts';
import type { BodyFraming } from './framing.ts';

/** What the lane itself has to say about the message on its way to the upstream. */
export interface RequestConnection {
  readonly method: string;
  readonly body: BodyFraming;
  readonly upgrade: 'websocket' | undefined;
  readonly expectsContinue: boolean;
  /** Names of the trailer fields to announce. */
  readonly trailerNames: readonly string[];
}

/**
 * The header map for Node's http client: the gate's final list, plus everything that concerns only the connection to
 * the upstream, which the lane owns: Content-Length or Transfer-Encoding, Trailer, Connection, Upgrade and Expect.
 * Those names are dropped from the gate's list wherever they come from; `TE: trailers` in it is kept and nominated
 * in Connection (RFC 9110 section 10.1.4). Repeated names become one entry with several values, in order.
 */
export function requestFields(
  allowed: readonly string[],
  connection: RequestConnection,
): Record<string, string | string[]> {
  const byLowerName = new Map<string, { name: string; values: string[] }>();
  for (let i = 0; i < allowed.length; i += 2) {
    const name = allowed[i] as string;
    const lower = name.toLowerCase();
    if (!isRequestField(lower)) continue;
    const known = byLowerName.get(lower);
    if (known === undefined) byLowerName.set(lower, { name, values: [allowed[i + 1] as string] });
    else known.values.push(allowed[i + 1] as string);
  }
  // No prototype: a client may well send a header called __proto__.
  const fields: Record<string, string | string[]> = Object.create(null);
  for (const { name, values } of byLowerName.values())
    fields[name] = values.length === 1 ? (values[0] as string) : values;
  addConnectionFields(fields, connection, byLowerName.has('te'));
  return fields;
}

/** In lower case, since the proxy library looks for these by that spelling. */
function addConnectionFields(
  fields: Record<string, string | string[]>,
  { method, body, upgrade, expectsContinue, trailerNames }: RequestConnection,
  hasTe: boolean,
): void {
  if (body.kind === 'length') {
    fields['content-length'] = String(body.bytes);
  } else if (body.kind === 'chunked') {
    // Node chunks by itself for the other methods; naming it makes the library close the connection after it.
    if (!chunkedByDefault(method)) fields['transfer-encoding'] = 'chunked';
    if (trailerNames.length > 0) fields.trailer = trailerNames.join(', ');
  }
  if (expectsContinue) fields.expect = '100-continue';
  if (upgrade !== undefined) {
    fields.connection = 'Upgrade';
    fields.upgrade = upgrade;
  } else if (hasTe) {
    fields.connection = 'TE';
  }
}

/** Node's http client leaves a body of these methods unframed unless told: the hidden second request of M2. */
function chunkedByDefault(method: string): boolean {
  return !['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'].includes(method);
}
