import { decodeBytes } from './query.ts';

/** Two parts and the beginning of a third, as JWS and JWE have them. */
const threeParts = /[\w+/=%-]{2}\.[\w+/=%-]*[\w+/=%-]\./;

/** A dot to who decodes once more: by percent (RFC 3986, and ASP.NET's %u), or what is quoted (Python's cookies). */
const escapedDot = /%2e|%u002e|\\(?:056|x2e|u002e)/gi;

/** What the decoders of Python, PHP and Node leave out of base64, as if it were not there. */
const noBase64 = /[^\w.+/-]/g;

/** Could somebody read a token out of this text? */
export function hasTokenForm(text: string): boolean {
  const dotted = text.replaceAll(escapedDot, '.').replaceAll('\\', '');
  return threeParts.test(dotted) || threeParts.test(dotted.replaceAll(noBase64, '')) || holdsPayload(dotted);
}

/** White space and byte order marks, and the zeros of UTF-16 and UTF-32: a JSON parser sees "{" behind them. */
const beginsObject = /^[\s\0\xef\xbb\xbf\xfe\xff]*\{[\s\0]*["}]/;

/**
 * Does a JSON object in base64 stand behind a dot? Who trusts its tokens to be verified often asks no more of them: the
 * header may be empty and the signature missing.
 */
export function holdsPayload(text: string): boolean {
  if (!text.includes('.') && !text.includes('%')) return false;
  const once = text.includes('%') ? decodeBytes(text) : text;
  const twice = once.includes('%') ? decodeBytes(once) : once;
  return twice
    .split('.')
    .slice(1)
    .some((part) => beginsObject.test(Buffer.from(part.replaceAll(noBase64, ''), 'base64').toString('latin1')));
}
