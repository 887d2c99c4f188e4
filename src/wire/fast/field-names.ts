/** Longer names than this, and more of them, are hardly anybody's but a client's that makes them up. */
const mostNameBytes = 64;
const places = 1_024;

/** By place; who comes first stays, so that made-up names can't push out the usual ones. */
const names: (string | undefined)[] = new Array<string | undefined>(places).fill(undefined);

/**
 * The text of a field name in `bytes`, or of a method, which is made of the same characters. Names repeat from request to request, and so each is one text, kept here: V8 hashes
 * and copies whatever is cut out of a head as soon as a Map or Set is asked for it, once a name a request.
 */
export function fieldName(bytes: Buffer, from: number, to: number): string {
  const place = placeOf(bytes, from, to);
  const kept = names[place];
  if (kept !== undefined && isWritten(kept, bytes, from, to)) return kept;
  const name = bytes.toString('latin1', from, to);
  if (kept !== undefined || name.length > mostNameBytes) return name;
  // As the name of a property it is the text that V8 itself keeps one of.
  const [shared = name] = Object.keys({ [name]: true });
  names[place] = shared;
  return shared;
}

function isWritten(name: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}

/** FNV-1a. */
function placeOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return (hash ^ (hash >>> 16)) & (places - 1);
}
