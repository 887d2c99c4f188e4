import { type ConfigPlaces, readConfigPlaces } from '../config/config-places.ts';
import type { ConfigDeps } from '../config/deps.ts';
import type { LiveConfig } from './reloads.ts';

/** Finds the lines of the config that is served. */
export interface ServedPlaces {
  /**
   * Of the config that is served, or only if its hash is `hash`. Undefined where it is another, where the files are not
   * those that were loaded any more, or too long to be read again for this.
   */
  of(live: LiveConfig, hash?: string): Promise<ConfigPlaces | undefined>;
}

/** Most of reading them again is one stretch in which no request is served: of 200 KB it took 200 to 340 ms of CPU. */
const mostChars = 64 * 1024;
/** From one question to the next: an operator goes through several. */
const keptMs = 60_000;

/** Texts are not kept while a config is served: they are read again when somebody asks, and let go soon after. */
export function createServedPlaces(path: string, deps: Pick<ConfigDeps, 'env' | 'readFile' | 'glob'>): ServedPlaces {
  let kept: { readonly digest: string; readonly places: Promise<ConfigPlaces | undefined> } | undefined;
  let forget: NodeJS.Timeout | undefined;
  return {
    async of({ served, texts }, hash = served.hash) {
      if (served.hash !== hash || texts.chars > mostChars) return undefined;
      if (kept?.digest !== texts.digest) {
        kept = { digest: texts.digest, places: readConfigPlaces(path, deps, texts).catch(() => undefined) };
      }
      clearTimeout(forget);
      forget = setTimeout(() => {
        kept = undefined;
      }, keptMs).unref();
      return kept.places;
    },
  };
}
