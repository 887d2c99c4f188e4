import { isSymmetric } from './algorithms.ts';
import { indexKeys, type KeyChoice, type KeyIndex } from './key-index.ts';

/** One key a tenant trusts, bound at import to the algorithms it may verify: never to what a token says. */
export interface VerificationKey {
  readonly kid: string | undefined;
  /** JWS algorithm names (RFC 7518, 8037, 9864, 9964). */
  readonly algorithms: ReadonlySet<string>;
  /** Turns false, for good, when its source no longer names the key: cached verdicts made with it die at once. */
  readonly isLive: () => boolean;
  /** Never throws or rejects; a signature it can't process is an invalid one. */
  verify(algorithm: string, signingInput: string, signature: Uint8Array): boolean | Promise<boolean>;
}

export type KeyLookup =
  /** At most eight keys, each for the algorithm that was asked for. */
  | { readonly kind: 'found'; readonly keys: readonly VerificationKey[] }
  /** The tenant has keys, and none is the token's. */
  | { readonly kind: 'unknown'; readonly detail: string }
  /** The tenant's keys could not be had (yet). */
  | { readonly kind: 'unavailable'; readonly detail: string; readonly retryAfterS: number };

/** All keys of one tenant; never shared with another. */
export interface KeyRing {
  /** Answers at once unless a key source must be asked first. `kid` is text; a numeric kid was turned into text. */
  find(kid: string | undefined, algorithm: string, nowMs: number): KeyLookup | Promise<KeyLookup>;
  /** All of them, as they are now: to be shown, not to verify with. */
  atHand(): readonly VerificationKey[];
}

/**
 * What a token's `kid` must say. `auto`: with a kid, only the key of that kid; without, only where exactly one key
 * fits. `required`: no kid, no key. `optional`: a kid that names no key, or none, tries every key that fits.
 */
export type KidMode = 'auto' | 'required' | 'optional';

/** Where a ring's keys come from: keys at hand for good, or a provider that may be away, change, and be asked. */
export interface KeySource {
  /** The keys as they are now: the same list until they change. Undefined: none could be had, or they grew too old. */
  current(): readonly VerificationKey[] | undefined;
  readonly provider?: KeyProvider | undefined;
}

/** The remote half of a source. None of its promises rejects. */
export interface KeyProvider {
  /** The fetch under way, if any: its end may bring keys. */
  arriving(): Promise<void> | undefined;
  /** Asks for a set that names this kid; undefined when that may not be done now. Each `seeker` has its own budget. */
  seek(kid: string, seeker: object): Promise<void> | undefined;
  /** Why and for how long no fresh keys can be expected; undefined while the provider answers. */
  trouble(): KeyTrouble | undefined;
}

export interface KeyTrouble {
  readonly detail: string;
  readonly retryAfterS: number;
}

export interface KeyRingOptions {
  /** The tenant's own algorithms: no key is found for any other. */
  readonly algorithms: ReadonlySet<string>;
  readonly kid: KidMode;
}

/** Keys that can't change while this config lasts. */
export function staticKeys(keys: readonly VerificationKey[]): KeySource {
  return { current: () => keys };
}

/** Makes one tenant's ring over its sources. A lookup ends in `unknown` or `unavailable`, never in an exception. */
export function createKeyRing(sources: readonly KeySource[], options: KeyRingOptions): KeyRing {
  return sources.every(({ provider }) => provider === undefined)
    ? createStaticRing(
        sources.flatMap(({ current }) => current() ?? []),
        options,
      )
    : createRemoteRing(sources, options);
}

const notAccepted: KeyLookup = { kind: 'unknown', detail: 'not an algorithm of this tenant' };

/** Two closures and a list: there may be 100,000 of these, most of them without traffic. */
function createStaticRing(keys: readonly VerificationKey[], { algorithms, kid: mode }: KeyRingOptions): KeyRing {
  let index: KeyIndex | undefined;
  return {
    find: (kid, algorithm) => {
      index ??= indexKeys(keys, mode);
      return algorithms.has(algorithm) ? answer(index.choose(kid, algorithm)) : notAccepted;
    },
    atHand: () => keys,
  };
}

function createRemoteRing(sources: readonly KeySource[], options: KeyRingOptions): KeyRing {
  const remote = sources.filter(({ provider }) => provider !== undefined);
  let seen: readonly (readonly VerificationKey[] | undefined)[] = [];
  let index: KeyIndex | undefined;

  /** Built at the first look-up, and again when a source's keys change. */
  function currentIndex(): KeyIndex {
    if (index !== undefined && sources.every((source, i) => source.current() === seen[i])) return index;
    seen = sources.map((source) => source.current());
    index = indexKeys(
      seen.flatMap((keys) => keys ?? []),
      options.kid,
    );
    return index;
  }

  function find(kid: string | undefined, algorithm: string): KeyLookup | Promise<KeyLookup> {
    if (!options.algorithms.has(algorithm)) return notAccepted;
    const now = currentIndex();
    const choice = now.choose(kid, algorithm);
    // What a provider publishes is public, so none has a key for HMAC, and none is asked for one.
    if (isSymmetric(algorithm) || (choice.kind === 'found' && choice.named)) return answer(choice);
    if (kid === undefined && options.kid === 'required') return answer(choice);

    const wanted = kid !== undefined && !now.has(kid);
    const waits = remote.flatMap(({ current, provider }) => {
      const wait = current() === undefined ? provider?.arriving() : wanted ? provider?.seek(kid, ring) : undefined;
      return wait ?? [];
    });
    if (waits.length === 0) return settle(kid, algorithm);
    return Promise.all(waits).then(() => settle(kid, algorithm));
  }

  /** The answer once every provider that could be asked has been. */
  function settle(kid: string | undefined, algorithm: string): KeyLookup {
    const now = currentIndex();
    const choice = now.choose(kid, algorithm);
    if (choice.kind === 'found' && (choice.named || options.kid === 'optional')) return answer(choice);
    if (kid !== undefined && now.has(kid)) return answer(choice);
    // A key we have not seen may be the token's, or be a second one that fits.
    return unavailable(kid) ?? answer(choice);
  }

  function unavailable(kid: string | undefined): KeyLookup | undefined {
    const troubles = remote.flatMap(({ current, provider }) => {
      if (current() === undefined) return provider?.trouble() ?? { detail: 'no keys yet', retryAfterS: 1 };
      return (kid === undefined ? undefined : provider?.trouble()) ?? [];
    });
    if (troubles.length === 0) return undefined;
    return {
      kind: 'unavailable',
      detail: troubles.map(({ detail }) => detail).join('; '),
      retryAfterS: Math.min(...troubles.map(({ retryAfterS }) => retryAfterS)),
    };
  }

  const atHand = () => sources.flatMap((source) => source.current() ?? []);
  const ring: KeyRing = { find, atHand };
  return ring;
}

function answer(choice: KeyChoice): KeyLookup {
  return choice.kind === 'found' ? choice : { kind: 'unknown', detail: choice.detail };
}
