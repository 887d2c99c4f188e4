import { expect, test } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../../src/config/load.ts';
import type { ConfigOrder, Loaded, StartOrder } from '../../../src/server/workers/messages.ts';
import { createRollOut } from '../../../src/server/workers/roll-out.ts';
import type { ConfigSnapshot } from '../../../src/server/workers/snapshot.ts';
import type { Worker } from '../../../src/server/workers/worker-process.ts';
import { createSigningKeys } from '../../../src/sign/signing-keys.ts';

const snapshot: ConfigSnapshot = { files: new Map(), globs: new Map(), env: {} };

async function load(): Promise<LoadedConfig> {
  const text = 'upstream: http://127.0.0.1:1\ntenants: {a: {secret: a-secret-of-more-than-thirty-two-bytes}}\n';
  const loaded = await loadConfig('/c.yaml', {
    env: {},
    readFile: async () => ({ bytes: Buffer.from(text) }),
    glob: async () => [],
  });
  if (!loaded.ok) throw new Error('refused');
  return loaded;
}

/** A worker at the other end of a wire that the test holds; `prepare` is what it says to a config. */
function scriptedWorker(index: number, prepare: () => Loaded | undefined = () => ({ problems: [] })) {
  const served: number[] = [];
  const told: string[] = [];
  let commits = true;
  let prepared: number | undefined;
  let onPrepare: (() => Promise<void>) | undefined;
  let onStart: (() => Promise<void>) | undefined;
  const answers = {
    start: (order: StartOrder): Loaded => {
      served.push(order.config.generation);
      return { problems: [] };
    },
    prepare: (order: ConfigOrder): Loaded | undefined => {
      prepared = order.generation;
      return prepare();
    },
    commit: ({ generation }: { generation: number }): boolean | undefined => {
      if (!commits) return undefined;
      served.push(generation);
      return generation === prepared;
    },
  };
  const worker = {
    index,
    state: 'starting',
    connected: true,
    channel: {
      async ask(name: keyof typeof answers, ask: never) {
        if (name === 'prepare') await onPrepare?.();
        const answer = answers[name](ask);
        if (name === 'start') await onStart?.();
        return answer;
      },
      tell: (name: string) => told.push(name),
    },
    kill() {
      told.push('killed');
    },
  };
  return {
    worker: worker as unknown as Worker,
    served,
    told,
    ignoreCommits() {
      commits = false;
    },
    holdPrepare(hold: () => Promise<void>) {
      onPrepare = hold;
    },
    holdStart(hold: () => Promise<void>) {
      onStart = hold;
    },
    vanish() {
      worker.connected = false;
    },
  };
}

async function rollOutTo(...all: ReturnType<typeof scriptedWorker>[]) {
  const first = await load();
  const crew = [...all];
  const rollOut = createRollOut({
    path: '/c.yaml',
    first,
    snapshot,
    signingKeys: createSigningKeys(),
    post: () => ({}) as never,
    serving: () => crew.map(({ worker }) => worker).filter(({ state }) => state === 'serving'),
  });
  for (const { worker } of all) expect(await rollOut.start(worker)).toBeUndefined();
  return { rollOut, generation: first.policy.generation, crew };
}

test('a config goes live in all workers once all have loaded it', async () => {
  const [a, b] = [scriptedWorker(1), scriptedWorker(2)];
  const { rollOut, generation } = await rollOutTo(a, b);
  const next = await load();
  expect(await rollOut.change(next, snapshot)).toEqual([]);
  for (const { served, told } of [a, b]) {
    expect(served).toEqual([generation, next.policy.generation]);
    expect(told).toEqual([]);
  }
});

test('one worker that can’t load it keeps it from all, and a worker that comes later gets the config before', async () => {
  const problem = { severity: 'error', file: '/c.yaml', path: '', message: 'not here' } as const;
  const [a, b, late] = [scriptedWorker(1), scriptedWorker(2, () => ({ problems: [problem] })), scriptedWorker(3)];
  const { rollOut, generation } = await rollOutTo(a, b);
  expect(await rollOut.change(await load(), snapshot)).toEqual([problem]);
  await rollOut.start(late.worker);
  for (const { served } of [a, b, late]) expect(served).toEqual([generation]);
  expect([a.told, b.told]).toEqual([['abandon'], ['abandon']]);
});

test('one that does not answer keeps it from all; one that ended meanwhile does not', async () => {
  const [a, mute] = [scriptedWorker(1), scriptedWorker(2, () => undefined)];
  const { rollOut, generation } = await rollOutTo(a, mute);
  const [problem] = await rollOut.change(await load(), snapshot);
  expect(problem?.message).toContain('worker 2 did not load it');
  expect(a.served).toEqual([generation]);
  mute.vanish();
  const next = await load();
  expect(await rollOut.change(next, snapshot)).toEqual([]);
  expect(a.served).toEqual([generation, next.policy.generation]);
});

test('one that does not take it up with the others serves nobody any more', async () => {
  const [a, b] = [scriptedWorker(1), scriptedWorker(2)];
  const { rollOut } = await rollOutTo(a, b);
  b.ignoreCommits();
  expect(await rollOut.change(await load(), snapshot)).toEqual([]);
  expect([a.told, b.told]).toEqual([[], ['killed']]);
});

test('a worker that starts during a change gets what comes of it', async () => {
  const [a, late] = [scriptedWorker(1), scriptedWorker(2)];
  const { rollOut, crew } = await rollOutTo(a);
  const next = await load();
  const held = Promise.withResolvers<void>();
  a.holdPrepare(() => held.promise);
  const changed = rollOut.change(next, snapshot);
  crew.push(late);
  const started = rollOut.start(late.worker);
  expect(late.served).toEqual([]);
  held.resolve();
  expect(await changed).toEqual([]);
  expect(await started).toBeUndefined();
  expect(late.served).toEqual([next.policy.generation]);
  expect(late.told).toEqual([]);
});

test('a change waits for a worker that is starting, and then reaches it too', async () => {
  const [a, late] = [scriptedWorker(1), scriptedWorker(2)];
  const { rollOut, generation, crew } = await rollOutTo(a);
  crew.push(late);
  const next = await load();
  const [begun, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  late.holdStart(() => {
    begun.resolve();
    return held.promise;
  });
  const started = rollOut.start(late.worker);
  await begun.promise;
  const changed = rollOut.change(next, snapshot);
  expect(a.served).toEqual([generation]);
  held.resolve();
  expect([await started, await changed]).toEqual([undefined, []]);
  expect(late.served).toEqual([generation, next.policy.generation]);
});
