import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** Where a config is looked for when nobody says where it is. */
const usualPlaces = ['/etc/jwtgate/config.yaml', 'config.yaml'] as const;

/** The config's absolute path: --config, then $JWTGATE_CONFIG, then the usual places; undefined where none is there. */
export function findConfigPath(flag: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const named = flag ?? env.JWTGATE_CONFIG;
  if (named !== undefined && named !== '') return resolve(named);
  const found = usualPlaces.find((place) => existsSync(place));
  return found === undefined ? undefined : resolve(found);
}

/** What to say on stderr when there is no config. */
export const noConfigText = `jwtgate: no config; name one with --config or $JWTGATE_CONFIG, or put it at ${usualPlaces.join(' or ')} (jwtgate init writes one)\n`;
