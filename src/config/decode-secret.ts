import type { secretEncodings } from './shape/secret.ts';

type SecretEncoding = (typeof secretEncodings)[number];

export interface DecodeProblem {
  readonly message: string;
  readonly hint?: string | undefined;
}

/** The bytes that a secret's text stands for. Strict: what a lenient decoder would skip or guess is a problem. */
export function decodeSecret(text: string, encoding: SecretEncoding): Uint8Array | DecodeProblem {
  if (encoding === 'utf8') return Buffer.from(text, 'utf8');
  if (/\s/.test(text)) {
    return { message: `holds white space, which is no ${encoding}`, hint: 'write it on one line (openssl base64 -A)' };
  }
  const bytes = decoders[encoding](text);
  if (bytes !== undefined) return bytes;
  return { message: `is not ${encoding}`, hint: decodeHint(text, encoding) };
}

function decodeHint(text: string, encoding: SecretEncoding): string {
  const padded = text.padEnd(Math.ceil(text.length / 4) * 4, '=');
  if (encoding === 'base64' && decoders.base64(padded) !== undefined) return 'its padding ("=" at the end) is missing';
  // Almost any short word is some base64.
  const other = (['hex', 'base64', 'base64url'] as const).find((one) => (decoders[one](text)?.length ?? 0) >= 16);
  return other === undefined ? 'leave encoding out where the secret is plain text' : `it would be ${other}`;
}

const decoders: Readonly<Record<Exclude<SecretEncoding, 'utf8'>, (text: string) => Uint8Array | undefined>> = {
  hex: (text) => (/^(?:[0-9A-Fa-f]{2})*$/.test(text) ? Buffer.from(text, 'hex') : undefined),
  // Only the canonical form comes back as it was: no missing padding, no spare bits (RFC 4648 section 3.5).
  base64: (text) => canonical(text, 'base64'),
  base64url: (text) => canonical(text.replace(/={1,2}$/, ''), 'base64url'),
};

function canonical(text: string, encoding: 'base64' | 'base64url'): Uint8Array | undefined {
  const bytes = Buffer.from(text, encoding);
  return bytes.toString(encoding) === text ? bytes : undefined;
}

/** Lengths of keys as programs make them: 256, 384 and 512 bits. */
const plausibleBytes: readonly number[] = [32, 48, 64];

/** The encoding that a secret taken as plain text rather seems to be in: most makers of keys print them encoded. */
export function findLikelyEncoding(text: string): 'hex' | 'base64' | 'base64url' | undefined {
  // Letters of both cases and digits: 48 small letters are a word someone typed.
  const looksRandom = /[0-9]/.test(text) && /[A-Fa-f]/.test(text);
  return (['hex', 'base64', 'base64url'] as const).find((encoding) => {
    const bytes = looksRandom ? decoders[encoding](text) : undefined;
    return bytes !== undefined && plausibleBytes.includes(bytes.length) && isMixed(text, encoding);
  });
}

function isMixed(text: string, encoding: string): boolean {
  return encoding === 'hex' || (/[a-z]/.test(text) && /[A-Z]/.test(text));
}
