import { readFileSync } from 'node:fs';

const nsPerTick = 1e7;

/**
 * Nanoseconds for which a core has been busy or was taken away by the hypervisor since boot, in ticks of 10 ms;
 * undefined for more than one core.
 */
export function readCoreBusyNs(core: string | undefined): number | undefined {
  if (core === undefined || !/^\d+$/.test(core)) return undefined;
  const line = readFileSync('/proc/stat', 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`cpu${core} `));
  if (line === undefined) return undefined;
  const [user = 0, nice = 0, system = 0, , , interrupt = 0, softInterrupt = 0, stolen = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + interrupt + softInterrupt + stolen) * nsPerTick;
}
