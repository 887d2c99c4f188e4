import type { ImportedKey } from './imported-key.ts';

/** A key of a set that can drop it. */
export interface LiveKey extends ImportedKey {
  /** Ends the key for good: verdicts made with it stop counting. */
  readonly end: () => void;
}

export interface KeyChange {
  readonly keys: readonly LiveKey[];
  readonly added: readonly LiveKey[];
  readonly removed: readonly LiveKey[];
}

/**
 * What a newly fetched set makes of the keys at hand: one that it names again stays the same object, and with it every
 * verdict; one that it does not name any more is to be ended by the caller.
 */
export function compareKeys(before: readonly LiveKey[], imported: readonly ImportedKey[]): KeyChange {
  const known = new Map(before.map((key) => [identityOf(key), key]));
  const keys = imported.map((key) => known.get(identityOf(key)) ?? bringToLife(key));
  const kept = new Set(keys);
  const former = new Set(before);
  return {
    keys,
    added: keys.filter((key) => !former.has(key)),
    removed: before.filter((key) => !kept.has(key)),
  };
}

function bringToLife(key: ImportedKey): LiveKey {
  let live = true;
  return {
    ...key,
    isLive: () => live,
    end: () => {
      live = false;
    },
  };
}

function identityOf({ kid, thumbprint, algorithms }: ImportedKey): string {
  return JSON.stringify([kid ?? null, thumbprint, ...algorithms]);
}
