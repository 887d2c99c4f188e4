/**
 * Decodes canonical base64url (RFC 7515 section 2, RFC 4648 sections 3.5 and 5); undefined for any other spelling of
 * the same bytes: padding, spare bits, white space, the other alphabet. One value has one text, so a token can't be
 * respelled past a cache or a deny list.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  // Node's decoder forgives everything; what it would write itself is the one canonical text.
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
