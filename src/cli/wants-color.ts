/** Colours are for terminals, unless NO_COLOR (no-color.org) says no. */
export function wantsColor(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR;
}
