import { verify as cryptoVerify, type KeyObject, type VerifyKeyObjectInput } from 'node:crypto';

export interface SlowCheck {
  readonly digest: string | null;
  readonly input: VerifyKeyObjectInput & { readonly key: KeyObject };
  readonly signingInput: string;
  readonly signature: Uint8Array;
}

/** Checks under way, by key and by what they check. */
const underWay = new WeakMap<KeyObject, Map<string, Promise<boolean>>>();

/**
 * Checks a signature on another thread. Who asks for a check that is under way, as the requests of one page do that all
 * bring its new token, gets its answer. Never rejects: what can't be processed is not valid.
 */
export function checkOffThread(check: SlowCheck): Promise<boolean> {
  const { digest, input, signingInput, signature } = check;
  const { key } = input;
  // PS256 and RS256 are other checks of the same text; a signing input has no NUL.
  const id = `${input.padding} ${digest} ${signingInput}\0${Buffer.from(signature).toString('latin1')}`;
  const ofKey = underWay.get(key);
  const same = ofKey?.get(id);
  if (same !== undefined) return same;
  const checks = ofKey ?? new Map<string, Promise<boolean>>();
  underWay.set(key, checks);
  const begun = new Promise<boolean>((resolve) => {
    cryptoVerify(digest, Buffer.from(signingInput, 'latin1'), input, signature, (error, valid) => {
      resolve(error === null && valid);
    });
  })
    .catch(() => false)
    .finally(() => checks.delete(id));
  checks.set(id, begun);
  return begun;
}
