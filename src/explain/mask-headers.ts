import { foldName } from '../gate/field-name.ts';
import type { TokenLocation } from '../gate/locate.ts';
import { notIssued } from '../gate/send.ts';
import { redactTokens } from '../ops/printable.ts';

/** Names whose values are credentials, or may be: whatever the client sent there stays between it and the upstream. */
const credentialName = /auth|cookie|token|secret|passw|credential|session|api-?key|signature/;

export interface MaskContext {
  readonly locations: readonly TokenLocation[];
  /** Names that we write ourselves, from claims. */
  readonly ours: readonly string[];
  /** The token, if one was found: no part of it that holds its signature is shown anywhere. */
  readonly token: string | undefined;
}

const redacted = '[redacted]';

/** A flat header list as pairs to look at: no token, and nothing that might be a credential. */
export function maskHeaders(headers: readonly string[], context: MaskContext): [name: string, value: string][] {
  const ours = new Set(context.ours.map(foldName));
  const pairs: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    const folded = foldName(name);
    const isSecret = !ours.has(folded) && (credentialName.test(folded) || holdsToken(name, context.locations));
    pairs.push([name, isSecret ? maskCredential(folded, value) : maskToken(value, context.token)]);
  }
  return pairs;
}

/** A request target to look at: without the token, wherever in it. */
export function maskTarget(target: string, { locations, token }: MaskContext): string {
  const [path = '', query] = splitOnce(target, '?');
  if (query === undefined) return maskToken(path, token);
  const names = new Set(locations.flatMap(({ kind, name }) => (kind === 'query' ? [name] : [])));
  const parameters = query.split('&').map((parameter) => {
    const [name = '', value] = splitOnce(parameter, '=');
    const isSecret = value !== undefined && (names.has(name) || credentialName.test(foldName(name)));
    return isSecret ? `${name}=${redacted}` : maskToken(parameter, token);
  });
  return `${maskToken(path, token)}?${parameters.join('&')}`;
}

function holdsToken(name: string, locations: readonly TokenLocation[]): boolean {
  const lower = name.toLowerCase();
  return locations.some((location) => {
    return (
      (location.kind === 'header' && location.name === lower) ||
      (location.kind === 'websocketProtocol' && lower === 'sec-websocket-protocol')
    );
  });
}

/** The scheme, or the cookies' names, may stay. */
function maskCredential(folded: string, value: string): string {
  if (value.endsWith(notIssued)) return value;
  if (folded === 'cookie') {
    const names = value.split(';').map((pair) => (splitOnce(pair, '=')[0] ?? '').trim());
    return names.map((name) => `${name}=${redacted}`).join('; ');
  }
  const [, scheme] = /^([A-Za-z][A-Za-z0-9-]*) +\S/.exec(value) ?? [];
  return scheme === undefined ? redacted : `${scheme} ${redacted}`;
}

function maskToken(text: string, token: string | undefined): string {
  return redactTokens(token === undefined || token === '' ? text : text.replaceAll(token, redacted));
}

function splitOnce(text: string, separator: string): [string] | [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
