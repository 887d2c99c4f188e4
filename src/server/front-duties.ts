import { isDeepStrictEqual } from 'node:util';
import type { LoadedConfig } from '../config/load.ts';
import type { Log } from '../ops/log.ts';

/** Tells what the config of a front that asks /verify has to list: with the first config, and whenever it changes. */
export function createFrontDuties(log: Log): (config: LoadedConfig) => void {
  let told: readonly string[] = [];
  return ({ policy, settings: { verify } }) => {
    const headers = [...policy.verdictNames].sort();
    if (verify === undefined || isDeepStrictEqual(headers, told)) return;
    told = headers;
    log.info('the front has to overwrite these headers', { front: verify.front, headers });
  };
}
