/**
 * Undoes what happens to a PEM text on its way through environment variables, JSON files, forms and chat windows: line
 * breaks written as `\n` or turned into spaces, carriage returns, quotes around the whole, a lost last line break.
 * Nothing is guessed about the key itself: what the text does not say, it does not say afterwards either.
 */
export function repairPem(text: string): string {
  return `${withoutQuotes(text.replace(/^\uFEFF/, '').trim())
    .replace(/\\+r/g, '')
    .replace(/\\+n/g, '\n')
    .replace(/\r\n?/g, '\n')
    // A block on one line, or with its first or last line run into the body.
    .replace(/-----BEGIN [A-Z0-9 ]+-----/g, '\n$&\n')
    .replace(/-----END [A-Z0-9 ]+-----/g, '\n$&\n')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n')}\n`;
}

/** The comma is what a value copied out of a JSON file brings along. */
function withoutQuotes(text: string): string {
  const quoted = /^(["'`])(.*)\1,?$/s.exec(text);
  return quoted === null ? text : (quoted[2] as string).trim();
}
