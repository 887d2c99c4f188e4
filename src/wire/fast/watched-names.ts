/** A few field names to look out for, found in bytes without making a string of every name that goes by. */
export interface WatchedNames<T> {
  /** What belongs to the name in `bytes` from `from` to `to`, letter case ignored; they hold a token (tchar) only. */
  find(bytes: Uint8Array, from: number, to: number): T | undefined;
}

interface Entry<T> {
  readonly lowerName: Uint8Array;
  readonly value: T;
}

/** Sets bit 5: upper case becomes lower, and no other tchar becomes one that is in a field name. */
const caseBit = 0x20;

/** Names in lower case, each with what is to be known of it. */
export function watchNames<T>(entries: Iterable<readonly [string, T]>): WatchedNames<T> {
  const byLength: (Entry<T>[] | undefined)[] = [];
  for (const [name, value] of entries) {
    while (byLength.length <= name.length) byLength.push(undefined);
    byLength[name.length] = [...(byLength[name.length] ?? []), { lowerName: Buffer.from(name, 'latin1'), value }];
  }
  return {
    find(bytes, from, to) {
      const candidates = to - from < byLength.length ? byLength[to - from] : undefined;
      if (candidates === undefined) return undefined;
      for (const candidate of candidates) {
        if (equals(bytes, from, candidate.lowerName)) return candidate.value;
      }
      return undefined;
    },
  };
}

function equals(bytes: Uint8Array, from: number, lowerName: Uint8Array): boolean {
  for (let i = 0; i < lowerName.length; i++) {
    if (((bytes[from + i] as number) | caseBit) !== lowerName[i]) return false;
  }
  return true;
}
