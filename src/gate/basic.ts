import { createHash, timingSafeEqual } from 'node:crypto';
import { headerValues, type RequestHead } from './request-head.ts';

/** One user and password that a tenant's servers may come with instead of a token, as digests alone. */
export interface BasicCredential {
  readonly userDigest: Uint8Array;
  readonly passwordDigest: Uint8Array;
}

/** HTTP Basic credentials (RFC 7617) as they came. */
export type BasicContent =
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable'; readonly detail: string }
  | { readonly kind: 'credentials'; readonly unverifiedUser: string; readonly unverifiedPassword: string };

const none: BasicContent = { kind: 'none' };
const scheme = /^basic(?:[ \t]+(.*))?$/i;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/** Reads Authorization: Basic. Two lines, or two credentials in one, are unreadable. */
export function readBasic(head: Pick<RequestHead, 'headers'>): BasicContent {
  const values = headerValues(head, 'authorization');
  const matched = values.map((value) => scheme.exec(value)).find((match) => match !== null);
  if (matched === undefined || matched === null) return none;
  if (values.length > 1) return { kind: 'unreadable', detail: 'the header authorization stands more than once' };
  const encoded = (matched[1] ?? '').trim();
  if (!base64.test(encoded)) return { kind: 'unreadable', detail: 'the Basic credentials are not base64' };
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) return { kind: 'unreadable', detail: 'the Basic credentials hold no ":"' };
  return { kind: 'credentials', unverifiedUser: text.slice(0, colon), unverifiedPassword: text.slice(colon + 1) };
}

export function compileBasic(user: string, password: string | Uint8Array): BasicCredential {
  return { userDigest: digest(user), passwordDigest: digest(password) };
}

/** Compares digests of equal length, and both always, so that time tells nothing of either. */
export function basicMatches(credential: BasicCredential, user: string, password: string): boolean {
  const sameUser = timingSafeEqual(credential.userDigest, digest(user));
  const samePassword = timingSafeEqual(credential.passwordDigest, digest(password));
  return sameUser && samePassword;
}

function digest(text: string | Uint8Array): Uint8Array {
  return createHash('sha256').update(text).digest();
}
