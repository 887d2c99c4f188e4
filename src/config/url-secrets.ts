/**
 * What of URLs in a text nobody is to see: user and password, though no URL of ours may have them, since a value from the
 * environment can be anything; and the query, in which providers want API keys.
 */
const hidden = /(?<=:\/\/).*(?=@)|(?<=:\/\/[^\s?#"']*\?)[^\s"']+/g;

/** `hide` makes what is shown in place of a part. */
export function withoutUrlSecrets(text: string, hide: (part: string) => string): string {
  return text.replace(hidden, hide);
}
