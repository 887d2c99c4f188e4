/** More different texts than this are a client's to make up, or too many to be worth it. */
const mostTexts = 1_000;
const mostChars = 128;

/** A function that does its work once for each text, for texts that are few and come again and again. */
export function rememberMembers(make: (text: string) => string): (text: string) => string {
  const made = new Map<string, string>();
  return (text) => {
    const known = made.get(text);
    if (known !== undefined) return known;
    const member = flat(make(text));
    if (made.size < mostTexts && text.length <= mostChars) made.set(flat(text), member);
    return member;
  };
}

/** The same text in one piece, which keeps nothing else alive: a part of a longer text holds on to all of it. */
export function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
