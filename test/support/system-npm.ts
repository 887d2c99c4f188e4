import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { delimiter } from 'node:path';

/** PATH as a user's shell has it: without what npm puts in front, and so without the pinned Node. */
export const systemPath = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((entry) => !/node_modules\/\.bin\/?$|node-gyp-bin/.test(entry))
  .join(delimiter);

/** Runs npm or npx on the system's Node, with nothing but its own defaults: `home` holds its settings and its cache. */
export function npm(
  command: 'npm' | 'npx',
  args: readonly string[],
  { cwd, home }: { readonly cwd: string; readonly home: string },
): SpawnSyncReturns<string> {
  return spawnSync(command, args, { cwd, env: npmEnvironment(home), encoding: 'utf8' });
}

export function npmEnvironment(home: string): NodeJS.ProcessEnv {
  return { PATH: systemPath, HOME: home, NO_UPDATE_NOTIFIER: '1', npm_config_fund: 'false', npm_config_audit: 'false' };
}

export const hasNpm = spawnSync('npm', ['--version'], { env: { PATH: systemPath } }).status === 0;
