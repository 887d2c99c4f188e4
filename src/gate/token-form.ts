/** Two parts and the beginning of a third, as JWS and JWE have them. */
const tokenForm = /[\w+/=%-]{2}\.[\w+/=%-]*[\w+/=%-]\./;

/** A dot to who decodes once more: by percent (RFC 3986, and ASP.NET's %u), or what is quoted (Python's cookies). */
const escapedDot = /%2e|%u002e|\\(?:056|x2e|u002e)/gi;

/** Could somebody read a token out of this text? */
export function hasTokenForm(text: string): boolean {
  return tokenForm.test(text.replaceAll(escapedDot, '.').replaceAll('\\', ''));
}
