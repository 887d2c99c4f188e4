import { isSymmetric } from './algorithms.ts';
import type { KidMode, VerificationKey } from './key-ring.ts';
import { quoteForLog } from './quote-for-log.ts';

export type KeyChoice =
  /** `named`: chosen by the token's kid, so that no further key could be meant. */
  | { readonly kind: 'found'; readonly keys: readonly VerificationKey[]; readonly named: boolean }
  | { readonly kind: 'none'; readonly detail: string };

/** Chooses among keys at hand, by config.md's rules for `kid`. */
export interface KeyIndex {
  has(kid: string): boolean;
  choose(kid: string | undefined, algorithm: string): KeyChoice;
}

/** One request never costs more signature checks than this, however many keys fit. */
const maxTried = 8;

/** Indexes one tenant's keys as they are now. Two keys of one kid are both that kid's: the signature tells which. */
export function indexKeys(keys: readonly VerificationKey[], kidMode: KidMode): KeyIndex {
  const byKid = Map.groupBy(keys, (key) => key.kid);
  /** An issuer's tokens name one key for a long time. */
  let last: { readonly kid: string | undefined; readonly algorithm: string; readonly choice: KeyChoice } | undefined;

  function choose(kid: string | undefined, algorithm: string): KeyChoice {
    if (last !== undefined && last.kid === kid && last.algorithm === algorithm) return last.choice;
    const choice = weigh(kid, algorithm);
    if (choice.kind === 'found') last = { kid, algorithm, choice };
    return choice;
  }

  function weigh(kid: string | undefined, algorithm: string): KeyChoice {
    if (kid === undefined && kidMode === 'required')
      return none('the token names no kid, and this tenant requires one');
    const ofKid = kid === undefined ? undefined : byKid.get(kid);
    if (ofKid !== undefined) {
      const fitting = ofKid.filter((key) => key.algorithms.has(algorithm)).slice(0, maxTried);
      if (fitting.length > 0) return { kind: 'found', keys: fitting, named: true };
      return none(`key ${quoteForLog(kid as string)} is not for ${algorithm} (it is for ${algorithmsOf(ofKid)})`);
    }
    if (kid !== undefined && kidMode !== 'optional') return none(unknownKid(kid, keys));
    const fitting = keys.filter((key) => key.algorithms.has(algorithm));
    if (fitting.length === 0) return none(`no key of this tenant is for ${algorithm}`);
    if (fitting.length > 1 && kidMode !== 'optional') {
      return none(
        `the token names no kid, and ${fitting.length} keys fit ${algorithm}: set kid in the token, or kid: optional`,
      );
    }
    return { kind: 'found', keys: fitting.slice(0, maxTried), named: false };
  }

  return { has: (kid) => byKid.has(kid), choose };
}

function none(detail: string): KeyChoice {
  return { kind: 'none', detail };
}

/** The commonest mistake of a first set-up: say what to change. */
function unknownKid(kid: string, keys: readonly VerificationKey[]): string {
  const start = `the token's kid ${quoteForLog(kid)} names no key of this tenant`;
  const nameless = keys.filter((key) => key.kid === undefined);
  if (nameless.length === 0) {
    const names = keys.slice(0, 4).map((key) => quoteForLog(key.kid as string));
    const more = keys.length > names.length ? ', ...' : '';
    return keys.length === 0 ? `${start}: it has no keys` : `${start} (its keys: ${names.join(', ')}${more})`;
  }
  return nameless.every((key) => [...key.algorithms].every(isSymmetric))
    ? `${start}; its secret has no kid: set secret.kid, or kid: optional`
    : `${start}; ${nameless.length === 1 ? 'a key' : `${nameless.length} keys`} of it has no kid: set it, or kid: optional`;
}

function algorithmsOf(keys: readonly VerificationKey[]): string {
  return [...new Set(keys.flatMap((key) => [...key.algorithms]))].join(', ');
}
