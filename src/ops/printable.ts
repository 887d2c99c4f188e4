/**
 * Text from outside as a log may show it. Everything but printable ASCII is escaped, so that no byte a client sends
 * can break a line, move a terminal's cursor or turn reading direction; what looks like a token is cut out, in case
 * one was put where no token belongs (a path segment, a `kid`).
 */

const printable = /^[ -~]*$/;
const plainInJson = /^[ !#-[\]-~]*$/;
const notPrintable = /[^ -~]/g;

/** Two or more base64url parts, the first of which starts as a JSON object does: a JWS or JWE, whole or cut off. */
const looksLikeToken = /eyJ[\w-]*(?:\.[\w-]*)+/g;

/** Longest text in one field; the rest is cut and marked. */
const fieldChars = 512;

/** A JSON string literal in ASCII: cut to 512 characters, tokens replaced by "[redacted]". */
export function quoteJson(text: string): string {
  return text.includes('eyJ') ? quotePlain(redactTokens(text)) : quotePlain(text);
}

/** The same without the search for tokens: for text in which none can be. */
export function quotePlain(text: string): string {
  if (text.length <= fieldChars && plainInJson.test(text)) return `"${text}"`;
  return escapeRest(JSON.stringify(shorten(text)));
}

/** As `quoteJson` for a terminal: no quotes, and nothing that a terminal would act on. */
export function printableText(text: string): string {
  const clean = shorten(redactTokens(text));
  return printable.test(clean) ? clean : escapeRest(clean);
}

/** Replaces everything that has the form of a token. */
export function redactTokens(text: string): string {
  return text.includes('eyJ') ? text.replace(looksLikeToken, '[redacted]') : text;
}

function shorten(text: string): string {
  return text.length <= fieldChars ? text : `${text.slice(0, fieldChars)}...`;
}

function escapeRest(text: string): string {
  return text.replace(notPrintable, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
