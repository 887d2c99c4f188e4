import type { KeySourceLease, KeySources } from '../keys/key-sources.ts';

/**
 * Key sources that are not asked before somebody needs their keys: to explain one request no other tenant's provider
 * is called.
 */
export function createLazyKeySources(sources: Pick<KeySources, 'acquire'>): Pick<KeySources, 'acquire'> {
  return {
    acquire(address, policy) {
      let begun: KeySourceLease | undefined;
      const begin = () => {
        begun ??= sources.acquire(address, policy);
        return begun;
      };
      return {
        id: `${address.kind} ${address.url}`,
        source: {
          current: () => begun?.source.current(),
          provider: {
            arriving: () => begin().source.provider?.arriving(),
            seek: (kid, seeker) => begin().source.provider?.seek(kid, seeker),
            trouble: () => begin().source.provider?.trouble(),
          },
        },
        status: () => begin().status(),
        release: () => begun?.release(),
      };
    },
  };
}
