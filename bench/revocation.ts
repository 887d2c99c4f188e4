// How much memory a revocation list of a million entries takes, how long it is read, and what a look-up costs:
//   node --expose-gc bench/revocation.ts [entries] [redis://127.0.0.1:6379]
// With an address the same from a set in that Redis, under a key of its own, which is deleted afterwards.
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { redisListAddress } from '../src/state/redis-lists.ts';
import { createRevocationLists } from '../src/state/revocation-lists.ts';
import { parseRevocations } from '../src/state/revocations.ts';
import { until } from '../test/support/until.ts';

const entries = Number(process.argv[2] ?? 1_000_000);
const lookups = 200_000;

/** Flat, as JSON.parse makes them; randomUUID's are ropes. */
const newId = () => Buffer.from(randomUUID()).toString('latin1');
const ids = Array.from({ length: entries }, newId);
const absent = Array.from({ length: 1000 }, newId);

async function memoryMb(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

function timeLookups(find: (id: string) => boolean): { readonly hitNs: number; readonly missNs: number } {
  const time = (values: readonly string[]) => {
    let found = 0;
    for (let warm = 0; warm < 2; warm++)
      for (let i = 0; i < 20_000; i++) if (find(values[(i * 7919) % values.length] as string)) found++;
    const before = process.cpuUsage();
    for (let i = 0; i < lookups; i++) if (find(values[(i * 7919) % values.length] as string)) found++;
    const { user, system } = process.cpuUsage(before);
    const ns = ((user + system) * 1e3) / lookups;
    return found < 0 ? Number.NaN : Math.round(ns);
  };
  return { hitNs: time(ids), missNs: time(absent) };
}

async function longestPause<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly ms: number; readonly pauseMs: number }> {
  let last = performance.now();
  let pauseMs = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    pauseMs = Math.max(pauseMs, now - last);
    last = now;
  }, 1);
  const startMs = performance.now();
  const result = await work();
  const ms = performance.now() - startMs;
  pauseMs = Math.max(pauseMs, performance.now() - last);
  clearInterval(timer);
  return { result, ms: Math.round(ms), pauseMs: Math.round(pauseMs) };
}

const lineOf = (id: string, i: number) => (i % 10 === 0 ? `sub ${id} before 1795334400` : `jti ${id}`);

async function readFromRedis(url: string): Promise<void> {
  const key = `jwtgate:bench:${randomUUID()}`;
  const client = createClient({ url });
  await client.connect();
  for (let i = 0; i < entries; i += 10_000) await client.sAdd(key, ids.slice(i, i + 10_000).map(lineOf));
  const before = await memoryMb();
  const cpuBefore = process.cpuUsage();
  const lists = createRevocationLists({ env: {} });
  const policy = { refreshMs: 600_000, timeoutMs: 60_000, headers: {}, ca: undefined };
  const { ms, pauseMs, result } = await longestPause(async () => {
    const lease = lists.holdUrl(redisListAddress(url, key), policy);
    await until('read', () => lease.status().readyOnce, 120_000);
    return lease;
  });
  const { user, system } = process.cpuUsage(cpuBefore);
  const rssMb = process.resourceUsage().maxRSS / 1e3;
  console.log(
    `from Redis: ${result.status().entries} entries in ${ms} ms, ${Math.round((user + system) / 1e3)} ms of CPU, longest pause ${pauseMs} ms; ${((await memoryMb()) - before).toFixed(1)} MB; peak RSS of this process, test data included, ${rssMb.toFixed(0)} MB`,
  );
  const changedMs = performance.now();
  await client.sAdd(key, 'jti the-last-one');
  const last = { jti: 'the-last-one', sub: undefined, kid: undefined, issuedAtS: 1 };
  await until('revoked', () => result.list.find('acme', last) !== undefined, 120_000);
  console.log(`one more entry is in force after ${Math.round(performance.now() - changedMs)} ms`);
  lists.close();
  await client.del(key);
  client.destroy();
}

const [, , , address] = process.argv;
if (address !== undefined) {
  await readFromRedis(address);
  process.exit();
}

function listText(): Buffer {
  return Buffer.from(`${ids.map(lineOf).join('\n')}\n`);
}

const text = listText();
const before = await memoryMb();
const { result: list, ms, pauseMs } = await longestPause(() => parseRevocations(text));
if (list.kind === 'problem') throw new Error(list.detail);
console.log(
  `value tables: ${(list.bytes / 1e6).toFixed(1)} MB by their own count, ${((await memoryMb()) - before).toFixed(1)} MB by the process's; read in ${ms} ms, longest pause ${pauseMs} ms`,
);
const look = (id: string) => list.find('acme', { jti: id, sub: id, kid: 'k1', issuedAtS: 1 }) !== undefined;
console.log('look-up of jti, sub and kid in them, ns of CPU:', timeLookups(look));

const beforeSet = await memoryMb();
const set = new Set(ids.map((id) => Buffer.from(id).toString('latin1')));
console.log(`Set of strings: ${((await memoryMb()) - beforeSet).toFixed(1)} MB`);
console.log(
  'look-up of one value in it, ns of CPU:',
  timeLookups((id) => set.has(id)),
);
