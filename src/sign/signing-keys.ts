import type { PublicJwk, SigningKey } from './signing-key.ts';

/** One place of the config that signs: an upstream's `sign`, a tenant's. */
export interface SigningSlot {
  /** Where it stands in the config, e.g. "tenants.acme.upstream.sign": the same place after a reload is the same slot. */
  readonly slot: string;
  readonly key: SigningKey;
  /** How long a new key is published before it takes over: as long as verifiers keep our set. */
  readonly publishBeforeMs: number;
}

/**
 * All keys that we sign with, and what we publish of them, across reloads. At any time every token of ours that has
 * not expired verifies against the set published then.
 */
export interface SigningKeys {
  /** What a config must change before it can be adopted: one kid for two keys that are published together. */
  findConflicts(slots: readonly SigningSlot[], nowMs: number): readonly SlotConflict[];
  /** Takes over a config that has been swapped in. */
  adopt(slots: readonly SigningSlot[], nowMs: number): void;
  /** Does any slot still sign with an older key than its config's? */
  isChanging(nowMs: number): boolean;
  /** The key that signs now; undefined for a slot that no adopted config has. */
  keyFor(slot: string, nowMs: number): SigningKey | undefined;
  /** To be called before a token leaves: its key stays published until then. */
  noteSigned(key: PublishedKey, expiresAtMs: number): void;
  /** The set for `/.well-known/jwks.json` (RFC 7517 section 5): public members only. */
  publicJwks(nowMs: number): { readonly keys: readonly PublicJwk[] };
  /** How long a copy of the set may be kept (Cache-Control), so that a new key is known before it signs. */
  maxAgeS(): number;
}

/** What publishing needs of a key. */
export type PublishedKey = Pick<SigningKey, 'id' | 'publicJwk'>;

export interface SlotConflict {
  readonly slot: string;
  readonly problem: string;
}

interface SlotState {
  publishBeforeMs: number;
  signing: SigningKey;
  next: { readonly key: SigningKey; readonly fromMs: number } | undefined;
}

interface Publication {
  readonly id: string;
  readonly jwk: PublicJwk;
  readonly sinceMs: number;
  lastExpiryMs: number;
}

/** Long enough to spare us requests, short enough to be forgotten soon. */
const mostAgeMs = 300_000;

/** Verifiers accept tokens for a little longer than they live. */
const skewMs = 60_000;

/** Keeps signing keys in memory alone: after a restart a new key signs at once, for want of an older one. */
export function createSigningKeys(): SigningKeys {
  const slots = new Map<string, SlotState>();
  const published = new Map<string, Publication>();

  function settle(state: SlotState, nowMs: number): SlotState {
    if (state.next !== undefined && nowMs >= state.next.fromMs) {
      state.signing = state.next.key;
      state.next = undefined;
    }
    return state;
  }

  function withdrawExpired(nowMs: number): void {
    const inUse = new Set<string>();
    for (const state of slots.values()) {
      const { signing, next } = settle(state, nowMs);
      inUse.add(signing.id);
      if (next !== undefined) inUse.add(next.key.id);
    }
    for (const [id, publication] of published) {
      if (!inUse.has(id) && !isNeeded(publication, nowMs)) published.delete(id);
    }
  }

  function publish(key: PublishedKey, nowMs: number): Publication | undefined {
    if (key.publicJwk === undefined) return undefined;
    const known = published.get(key.id);
    if (known !== undefined) return known;
    const publication = { id: key.id, jwk: key.publicJwk, sinceMs: nowMs, lastExpiryMs: Number.NEGATIVE_INFINITY };
    published.set(key.id, publication);
    return publication;
  }

  function adoptSlot({ slot, key, publishBeforeMs }: SigningSlot, nowMs: number): void {
    const publication = publish(key, nowMs);
    const state = slots.get(slot);
    if (state === undefined) {
      slots.set(slot, { publishBeforeMs, signing: key, next: undefined });
      return;
    }
    state.publishBeforeMs = publishBeforeMs;
    if (settle(state, nowMs).signing.id === key.id) {
      state.next = undefined;
    } else {
      const fromMs = publication === undefined ? nowMs : publication.sinceMs + publishBeforeMs;
      state.next = { key, fromMs };
      settle(state, nowMs);
    }
  }

  return {
    findConflicts(wanted, nowMs) {
      withdrawExpired(nowMs);
      // A key that waits in a slot is dropped when the slot gets another: what stays is what signs, or has signed.
      const signing = new Set(wanted.map(({ slot }) => slots.get(slot)?.signing.id));
      const staying = [...published.values()].filter((publication) => {
        return signing.has(publication.id) || isNeeded(publication, nowMs);
      });
      const owners = new Map(staying.map(({ jwk }) => [jwk.kid, jwk]));
      return wanted.flatMap(({ slot, key: { publicJwk } }) => {
        if (publicJwk === undefined) return [];
        const owner = owners.get(publicJwk.kid);
        owners.set(publicJwk.kid, publicJwk);
        if (owner === undefined || isSameKey(owner, publicJwk)) return [];
        const problem = `kid ${JSON.stringify(publicJwk.kid)} already names another key that is published: give each key its own kid, or leave kid out`;
        return [{ slot, problem }];
      });
    },

    adopt(wanted, nowMs) {
      for (const slot of wanted) adoptSlot(slot, nowMs);
      const kept = new Set(wanted.map(({ slot }) => slot));
      for (const slot of slots.keys()) if (!kept.has(slot)) slots.delete(slot);
      withdrawExpired(nowMs);
    },

    isChanging: (nowMs) => slots.values().some((state) => settle(state, nowMs).next !== undefined),

    keyFor(slot, nowMs) {
      const state = slots.get(slot);
      return state === undefined ? undefined : settle(state, nowMs).signing;
    },

    noteSigned(key, expiresAtMs) {
      // A request under way keeps the config it began with, and may sign with a key that was withdrawn meanwhile.
      const publication = publish(key, Number.NEGATIVE_INFINITY);
      if (publication !== undefined) publication.lastExpiryMs = Math.max(publication.lastExpiryMs, expiresAtMs);
    },

    publicJwks(nowMs) {
      withdrawExpired(nowMs);
      return { keys: [...published.values()].map(({ jwk }) => jwk) };
    },

    maxAgeS() {
      let shortestMs = 2 * mostAgeMs;
      for (const { publishBeforeMs } of slots.values()) shortestMs = Math.min(shortestMs, publishBeforeMs);
      return Math.floor(shortestMs / 2000);
    },
  };
}

/** Are there tokens of this key that have not expired? */
function isNeeded({ lastExpiryMs }: Publication, nowMs: number): boolean {
  return nowMs < lastExpiryMs + skewMs;
}

const keyMaterial = ['kty', 'crv', 'x', 'y', 'n', 'e', 'pub'] as const;

function isSameKey(a: PublicJwk, b: PublicJwk): boolean {
  return keyMaterial.every((name) => a[name] === b[name]);
}
