import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Reads a small system file; undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

/**
 * Cores that this process may use: those it may run on, or fewer where its control groups (v1 and v2, its own and those
 * above) grant less time than that. A part of a core is left to the primary and to Node's own threads; at least 1.
 */
export function availableCores(parallelism = availableParallelism(), read: ReadText = readText): number {
  const quotas = (read('/proc/self/cgroup') ?? '').split('\n').flatMap((line) => quotasOf(line, read));
  return Math.max(1, Math.floor(Math.min(parallelism, ...quotas)));
}

/** Quotas of one line "id:controllers:path" (cgroups(7)): in cores, from the group itself up to the root. */
function quotasOf(line: string, read: ReadText): number[] {
  const [, id, controllers = '', path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
  if (path === undefined) return [];
  if (id === '0' && controllers === '') {
    return groupsAbove('/sys/fs/cgroup', path).flatMap((group) => {
      const [quota, period] = (read(`${group}/cpu.max`) ?? '').split(' ');
      return cores(quota, period);
    });
  }
  if (!controllers.split(',').includes('cpu')) return [];
  return groupsAbove(`/sys/fs/cgroup/${controllers}`, path).flatMap((group) =>
    cores(read(`${group}/cpu.cfs_quota_us`), read(`${group}/cpu.cfs_period_us`)),
  );
}

/** In a container the path may be the host's, while what is mounted is the container's own group: the root counts, too. */
function groupsAbove(mount: string, path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  return names.map((_, index) => `${mount}/${names.slice(0, names.length - index).join('/')}`).concat(mount);
}

/** "max" and -1 are no limit. */
function cores(quota: string | undefined, period: string | undefined): number[] {
  const ratio = Number(quota) / Number(period);
  return ratio > 0 ? [ratio] : [];
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
