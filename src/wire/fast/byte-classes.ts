/** No digit. */
export const notHex = 255;

/** One entry a byte value: 1 where the byte belongs to the class. */
export type ByteClass = Uint8Array;

/** RFC 9110 section 5.6.2, tchar: what methods and field names are made of. */
export const tokenBytes: ByteClass = byteClass(/[!#$%&'*+\-.^_`|~0-9A-Za-z]/);

/** RFC 9110 section 5.5: HTAB, SP, visible ASCII and obs-text; never another control character. */
export const fieldValueBytes: ByteClass = byteClass(/[\t\x20-\x7e\x80-\xff]/);

/** Visible ASCII without "#": a fragment never belongs to a request target (RFC 9110 section 7.1). */
export const targetBytes: ByteClass = byteClass(/[\x21\x22\x24-\x7e]/);

/** Of each byte the value as a hexadecimal digit, or `notHex`. */
export const hexDigitValues: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[0-9A-Fa-f]/.test(character) ? Number.parseInt(character, 16) : notHex;
});

function byteClass(member: RegExp): ByteClass {
  return Uint8Array.from({ length: 256 }, (_, byte) => (member.test(String.fromCharCode(byte)) ? 1 : 0));
}

export const tab = 0x09;
export const lf = 0x0a;
export const cr = 0x0d;
export const space = 0x20;
export const slash = 0x2f;
export const zero = 0x30;
export const one = 0x31;
export const colon = 0x3a;
