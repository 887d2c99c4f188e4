const maxLength = 64;

/** Text from outside, fit for a log line or a config problem: quoted, printable ASCII, at most 64 characters. */
export function quoteForLog(text: string): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  return `"${cut.replace(/[^\x20-\x7e]|["\\]/g, '?')}"`;
}
