import { expect, test } from 'vitest';
import { availableCores } from '../../../src/server/workers/available-cores.ts';

const reader = (files: Readonly<Record<string, string>>) => (path: string) => files[path];

test('without control groups: as many as the process may run on', () => {
  expect(availableCores(8, reader({}))).toBe(8);
});

test.each([
  ['no limit', 'max 100000\n', 8],
  ['two cores', '200000 100000\n', 2],
  ['a part of a core is left to others', '290000 100000\n', 2],
  ['less than one core is one process', '50000 100000\n', 1],
  ['more than there are', '1600000 100000\n', 8],
  ['something else', 'x\n', 8],
])('version 2, as in a container: %s', (_what, limit, cores) => {
  expect(availableCores(8, reader({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': limit }))).toBe(cores);
});

test('version 2: the tightest of all groups above counts', () => {
  const files = {
    '/proc/self/cgroup': '0::/kubepods/pod7/gate\n',
    '/sys/fs/cgroup/kubepods/pod7/gate/cpu.max': 'max 100000\n',
    '/sys/fs/cgroup/kubepods/pod7/cpu.max': '300000 100000\n',
    '/sys/fs/cgroup/kubepods/cpu.max': '600000 100000\n',
  };
  expect(availableCores(8, reader(files))).toBe(3);
});

test.each(['cpu', 'cpu,cpuacct'])(
  'version 1: the group of %s, and its root in a container that sees no more',
  (name) => {
    const cgroup = { '/proc/self/cgroup': `4:memory:/docker/7\n1:${name}:/docker/7\n0::/\n` };
    const limit = (folder: string) => ({
      [`${folder}/cpu.cfs_quota_us`]: '250000\n',
      [`${folder}/cpu.cfs_period_us`]: '100000\n',
    });
    expect(availableCores(8, reader({ ...cgroup, ...limit(`/sys/fs/cgroup/${name}/docker/7`) }))).toBe(2);
    expect(availableCores(8, reader({ ...cgroup, ...limit(`/sys/fs/cgroup/${name}`) }))).toBe(2);
    const none = {
      [`/sys/fs/cgroup/${name}/cpu.cfs_quota_us`]: '-1\n',
      [`/sys/fs/cgroup/${name}/cpu.cfs_period_us`]: '1',
    };
    expect(availableCores(8, reader({ ...cgroup, ...none }))).toBe(8);
  },
);
