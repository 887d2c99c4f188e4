import { decodeBase64url } from '../keys/base64url.ts';
import { parseStrictBase64urlJson } from './strict-json.ts';

/** A JSON value as a verified or unverified token carries it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

/** A compact JWS taken apart, strictly, and not verified: nothing in it may decide more than which keys to ask. */
export interface UnverifiedToken {
  readonly kind: 'unverified';
  readonly raw: string;
  readonly unverifiedHeader: JsonObject;
  readonly unverifiedClaims: JsonObject;
  readonly algorithm: string;
  /** A numeric `kid` as its decimal text. */
  readonly kid: string | undefined;
  /** ASCII(BASE64URL(header) "." BASE64URL(payload)), RFC 7515 section 5.1. */
  readonly signingInput: string;
  readonly signature: Uint8Array;
}

export interface MalformedToken {
  readonly kind: 'malformed';
  /** For the log: no text of the token beyond a bounded, printable `alg` or `kid`. */
  readonly detail: string;
}

/**
 * Header members with which a token would bring its own key or change what its signature covers. None of them is
 * ever acted on; they are refused, because a token that passes here may be judged again behind us by a library that
 * does (CVE-2018-0114; RFC 8725 section 3.10). `x5t` and `x5t#S256` are digests that merely name a key: common
 * (Entra ID sends x5t), harmless, accepted and ignored.
 */
const refusedHeaders: ReadonlyMap<string, string> = new Map([
  ['crit', 'no critical extension is understood (RFC 7515 section 4.1.11)'],
  ['b64', 'unencoded payloads are not accepted (RFC 7797)'],
  ['jwk', 'the token brings its own key'],
  ['jku', 'the token brings the address of its own keys'],
  ['x5c', 'the token brings its own certificate'],
  ['x5u', 'the token brings the address of its own certificate'],
]);

/** Takes a compact JWT apart: three canonical base64url parts, of which two are JSON objects. Verifies nothing. */
export function parseToken(raw: string, maxBytes: number): UnverifiedToken | MalformedToken {
  const parts = splitJws(raw, maxBytes);
  if (parts.kind === 'malformed') return parts;
  const { unverifiedHeader, algorithm, kid } = parts.header;
  const payload = parseStrictBase64urlJson(parts.payload);
  if (payload === undefined) return malformed('payload: not canonical base64url');
  const signature = decodeBase64url(parts.signature);
  if (signature === undefined) return malformed('signature: not canonical base64url');
  if (payload.kind === 'problem') return malformed(`payload: ${payload.detail}`);
  const unverifiedClaims = payload.value;
  if (!isObject(unverifiedClaims)) return malformed('payload: not a JSON object');
  const { signingInput } = parts;
  return { kind: 'unverified', raw, unverifiedHeader, unverifiedClaims, algorithm, kid, signingInput, signature };
}

interface JwsParts {
  readonly kind: 'parts';
  readonly header: Header;
  readonly payload: string;
  readonly signature: string;
  readonly signingInput: string;
}

/** The three parts, of which only the header is read: a JWS (RFC 7515) whose payload may be any bytes. */
export function splitJws(raw: string, maxBytes: number): JwsParts | MalformedToken {
  if (raw.length > maxBytes) return malformed(`longer than ${maxBytes} bytes`);
  const headerEnd = raw.indexOf('.');
  const payloadEnd = raw.indexOf('.', headerEnd + 1);
  if (headerEnd < 0 || payloadEnd <= headerEnd || raw.indexOf('.', payloadEnd + 1) >= 0)
    return malformed(miscount(raw));
  const header = readHeader(raw, headerEnd);
  if (header.kind === 'malformed') return header;
  const payload = raw.slice(headerEnd + 1, payloadEnd);
  return {
    kind: 'parts',
    header,
    payload,
    signature: raw.slice(payloadEnd + 1),
    signingInput: raw.slice(0, payloadEnd),
  };
}

interface Header extends Pick<UnverifiedToken, 'unverifiedHeader' | 'algorithm' | 'kid'> {
  readonly kind: 'header';
}

/** An issuer's tokens have one header until its key changes: each text is read once. By a hash of its end. */
const knownHeaders = new Map<number, KnownHeader>();
const mostHeaders = 256;
const mostHeaderChars = 512;
const hashedChars = 16;

interface KnownHeader {
  readonly text: string;
  readonly header: Header;
}

function readHeader(raw: string, end: number): Header | MalformedToken {
  let hash = end;
  for (let i = Math.max(0, end - hashedChars); i < end; i++) hash = (Math.imul(hash, 31) + raw.charCodeAt(i)) | 0;
  const known = knownHeaders.get(hash);
  if (known?.text.length === end && raw.startsWith(known.text)) return known.header;
  const text = raw.slice(0, end);
  const header = parseHeader(text);
  if (header.kind === 'malformed' || end > mostHeaderChars) return header;
  // Who makes up headers only makes us read them again.
  if (knownHeaders.size === mostHeaders) knownHeaders.clear();
  // A copy, since the text is a part of a whole request head; frozen, since all these tokens share it.
  knownHeaders.set(hash, { text: Buffer.from(text, 'latin1').toString('latin1'), header: freeze(header) });
  return header;
}

function parseHeader(text: string): Header | MalformedToken {
  const header = parseStrictBase64urlJson(text);
  if (header === undefined) return malformed('header: not canonical base64url');
  if (header.kind === 'problem') return malformed(`header: ${header.detail}`);
  const unverifiedHeader = header.value;
  if (!isObject(unverifiedHeader)) return malformed('header: not a JSON object');
  for (const name of Object.keys(unverifiedHeader)) {
    const why = refusedHeaders.get(name);
    if (why !== undefined) return malformed(`header: ${name}: ${why}`);
  }
  const algorithm = Object.hasOwn(unverifiedHeader, 'alg') ? unverifiedHeader.alg : undefined;
  if (typeof algorithm !== 'string') return malformed('header: alg is missing or not a string');
  const kid = Object.hasOwn(unverifiedHeader, 'kid') ? textOfKid(unverifiedHeader.kid) : undefined;
  if (kid === null) return malformed('header: kid is neither a string nor a safe integer');
  return { kind: 'header', unverifiedHeader, algorithm, kid };
}

/** The members' values, too: depth is bounded by the parser. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}

function malformed(detail: string): MalformedToken {
  return { kind: 'malformed', detail };
}

function miscount(raw: string): string {
  const parts = raw.split('.', 6).length;
  if (parts === 5) return 'five parts: an encrypted token (JWE); only signed ones are accepted';
  return `${parts > 5 ? 'more than five parts' : parts === 1 ? 'one part' : `${parts} parts`} instead of three`;
}

/** RFC 7515 section 4.1.4 wants a string; issuers exist that number their keys. Null: neither. */
function textOfKid(kid: Json | undefined): string | null {
  if (typeof kid === 'string') return kid;
  return Number.isSafeInteger(kid) ? String(kid) : null;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
