import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

/**
 * Loaded into jwtgate by `--import`. Each SIGWINCH, which nobody else listens to, is the next step: profile the CPU;
 * write that and sample allocations; write those. A file is complete once it has its name.
 */

const directory = process.env.BENCH_PROFILES ?? '.';
const sampleEveryUs = 200;
const sampleEveryBytes = 8_192;

const session = new Session();
session.connect();

const steps = [
  async () => {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: sampleEveryUs });
    await session.post('Profiler.start');
  },
  async () => {
    write('cpu.json', (await session.post('Profiler.stop')).profile);
    await session.post('HeapProfiler.startSampling', {
      samplingInterval: sampleEveryBytes,
      stackDepth: 64,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
  },
  async () => write('allocations.json', (await session.post('HeapProfiler.stopSampling')).profile),
];

process.on('SIGWINCH', () => void steps.shift()?.());

function write(name: string, profile: object): void {
  writeFileSync(join(directory, 'unfinished'), JSON.stringify(profile));
  renameSync(join(directory, 'unfinished'), join(directory, name));
}
