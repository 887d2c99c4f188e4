import { spawn } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { createLog } from '../../../src/ops/log.ts';
import { type Crew, createCrew } from '../../../src/server/workers/crew.ts';
import { isRunning } from '../../support/children.ts';
import { until } from '../../support/until.ts';

const beats = "setInterval(() => process.send({ kind: 'tell', name: 'beat' }), 20)";
const crews: Crew[] = [];
afterEach(async () => {
  for (const crew of crews.splice(0)) await crew.dismiss(async (worker) => worker.kill(), 5_000);
});

/** A crew of real processes that run these lines; each serves from its first beat on, if it has any. */
function crewOf(code: string, { size = 1, silenceMs = 60_000 } = {}) {
  const onBeat = new Map<number, () => void>();
  const lines: Record<string, unknown>[] = [];
  const writer = { write: (line: string) => void lines.push(JSON.parse(line)), droppedLines: 0, close: async () => {} };
  const givenUp: string[] = [];
  const pids: number[] = [];
  const crew = createCrew({
    size,
    spawn() {
      const child = spawn(process.execPath, ['-e', code], {
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
        serialization: 'advanced',
      });
      pids.push(child.pid as number);
      return child;
    },
    answers: ({ index, hear }) => ({ beat: () => onBeat.get(index)?.(), load: hear }) as never,
    async start(worker) {
      if (code.startsWith(beats)) await new Promise<void>((resolve) => onBeat.set(worker.index, resolve));
      worker.state = 'serving';
      return undefined;
    },
    onServing: () => undefined,
    onEnded: () => undefined,
    onGivenUp: (detail) => givenUp.push(detail),
    log: createLog(writer, 'info', 'json'),
    waits: { silenceMs, firstRestartMs: 10, steadyMs: 60_000, mostEarlyEnds: 4 },
  });
  crews.push(crew);
  return { crew, lines, givenUp, pids };
}

test('a worker that ends is replaced, and its place is given up after so many that ended early', async () => {
  const { crew, lines, givenUp, pids } = crewOf('setTimeout(() => process.exit(3), 50)');
  expect(await crew.begin()).toBeUndefined();
  await until('it is given up', () => givenUp.length > 0);
  expect(givenUp).toEqual(['worker 1 ended 4 times in a row soon after its start']);
  expect(pids).toHaveLength(4);
  expect(crew.losses).toEqual({ crash: 4, silence: 0, start: 0 });
  expect(lines.filter(({ msg }) => msg === 'worker ended')[0]).toMatchObject({ exit_code: 3, cause: 'crash' });
});

test('a worker that says nothing any more hangs: it is killed and replaced', async () => {
  const { crew, lines, pids } = crewOf(`${beats}; setTimeout(() => { for (;;); }, 200)`, { silenceMs: 3_000 });
  await crew.begin();
  await until('it was replaced', () => lines.some(({ msg }) => msg === 'worker replaced'));
  expect(crew.losses.silence).toBe(1);
  expect(isRunning(pids[0] as number)).toBe(false);
});

test('a worker that counts nothing where it says its counts is a fault in the log, and nobody is dealt by it', async () => {
  const { crew, lines } = crewOf(`${beats}; process.send({ kind: 'tell', name: 'load' })`);
  await crew.begin();
  await until('it is logged', () => lines.some(({ msg }) => msg === 'a worker got no answer'));
  expect(crew.serving.map(({ open, onTheWay }) => [open, onTheWay])).toEqual([[0, 0]]);
});

test('a worker that speaks is left alone', async () => {
  const { crew, pids } = crewOf(beats, { silenceMs: 3_000 });
  await crew.begin();
  await new Promise((later) => setTimeout(later, 6_500));
  expect(pids).toHaveLength(1);
  expect(crew.serving).toHaveLength(1);
});

test('workers that do not leave when they are asked are killed at the deadline', async () => {
  const { crew, lines, pids } = crewOf(beats, { size: 2 });
  await crew.begin();
  await crew.dismiss(async () => undefined, 300);
  expect(pids.filter(isRunning)).toEqual([]);
  expect(lines.filter(({ msg }) => msg === 'a worker did not end in time: killed')).toHaveLength(2);
});

test('a program that can’t be started at all is said so, and nothing waits for it', async () => {
  const lines: string[] = [];
  const crew = createCrew({
    size: 2,
    spawn: () => spawn('/nowhere/jwtgate', [], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }),
    answers: () => ({}) as never,
    start: () => new Promise(() => undefined),
    onServing: () => undefined,
    onEnded: () => undefined,
    onGivenUp: () => undefined,
    log: createLog({ write: (line) => void lines.push(line), droppedLines: 0, close: async () => {} }, 'info', 'json'),
  });
  expect(await crew.begin()).toContain('ended before it served');
});

test('a worker for which there is no memory is tried again, as is one that ended', async () => {
  const lines: Record<string, unknown>[] = [];
  let spawned = 0;
  const crew = createCrew({
    size: 1,
    spawn() {
      if (++spawned === 2) throw Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM' });
      const code = spawned === 1 ? 'process.exit(3)' : beats;
      return spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    },
    answers: () => ({ beat: () => undefined }) as never,
    async start(worker) {
      worker.state = 'serving';
      return undefined;
    },
    onServing: () => undefined,
    onEnded: () => undefined,
    onGivenUp: () => undefined,
    log: createLog(
      { write: (line) => void lines.push(JSON.parse(line)), droppedLines: 0, close: async () => {} },
      'info',
      'json',
    ),
    waits: { firstRestartMs: 10 },
  });
  crews.push(crew);
  await crew.begin();
  await until('it was replaced', () => lines.some(({ msg }) => msg === 'worker replaced'));
  expect(lines.find(({ msg }) => msg === 'a worker could not be started')?.problem).toContain('spawn ENOMEM');
  expect(crew.losses).toEqual({ crash: 1, silence: 0, start: 1 });
});
