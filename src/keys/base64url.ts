/**
 * Decodes canonical base64url (RFC 7515 section 2, RFC 4648 sections 3.5 and 5); undefined for any other spelling of
 * the same bytes: padding, spare bits, white space, the other alphabet. One value has one text, so a token can't be
 * respelled past a cache or a deny list.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return isCanonical(text, bytes.length) ? bytes : undefined;
}

let scratch = Buffer.allocUnsafeSlow(4096);

/**
 * The same for bytes that are UTF-8, as the text that they are: without a copy of the bytes for the garbage. Where they are
 * no UTF-8, the text holds U+FFFD, which it may hold otherwise, too.
 */
export function decodeBase64urlText(text: string): string | undefined {
  if (text.length > scratch.length) scratch = Buffer.allocUnsafeSlow(text.length * 2);
  const length = scratch.write(text, 'base64url');
  return isCanonical(text, length) ? scratch.toString('utf8', 0, length) : undefined;
}

/**
 * Node's decoder takes either alphabet, and leaves out or ends at any other character, so that fewer bytes come of the
 * text than its length promises; of a character beyond Latin-1 it sees the last eight bits alone.
 */
function isCanonical(text: string, decodedBytes: number): boolean {
  const { length } = text;
  const rest = length % 4;
  if (rest === 1 || decodedBytes !== Math.floor((length * 3) / 4)) return false;
  if (text.indexOf('+') !== -1 || text.indexOf('/') !== -1 || Buffer.byteLength(text) !== length) return false;
  return rest === 0 || (noSpareBits[rest] as string).indexOf(text.charAt(length - 1)) !== -1;
}

/** By the length's remainder: the last characters whose four or two spare bits are zero. */
const noSpareBits: readonly string[] = ['', '', 'AQgw', 'AEIMQUYcgkosw048'];
