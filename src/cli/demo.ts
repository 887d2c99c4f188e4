import { createLineWriter, type LineWriter } from '../ops/line-writer.ts';
import { type Cast, createCast } from './demo/cast.ts';
import { fire } from './demo/fire.ts';
import { holdLines } from './demo/held-lines.ts';
import { addressBox, closingLine, curlLines, nextSteps, resultTable, title } from './demo/page.ts';
import { createProbes, type Probe } from './demo/probes.ts';
import { createStage } from './demo/stage.ts';
import { exitCodes } from './exit-codes.ts';
import { isBuilt } from './version.ts';

export interface DemoOptions {
  readonly once?: true;
}

/** How long the last log lines may take. */
const flushMs = 1_000;

/**
 * Shows jwtgate at work between an upstream and an identity provider of its own: three tenants, keys made for this
 * run, loopback only. With `--once` it fires its requests itself and answers 0 when every outcome is as expected,
 * else 1; without, it goes on until a signal. `changeProbes` is for the test that proves it can fail.
 */
export async function demo(options: DemoOptions, changeProbes = (probes: readonly Probe[]) => probes): Promise<number> {
  const stopped = options.once ? undefined : stopSignal();
  const cast = await createCast();
  const probes = changeProbes(await createProbes(cast));
  return stopped === undefined ? fireOnce(cast, probes) : showUntil(stopped, cast, probes);
}

async function fireOnce(cast: Cast, probes: readonly Probe[]): Promise<number> {
  const { addresses, upstream, close } = await createStage(cast, silence);
  const [host, port] = addresses.gate.split(':') as [string, string];
  const results = [];
  for (const probe of probes) results.push(await fire(probe, { host, port: Number(port) }, upstream));
  await close('the demo is over');
  print(title(), resultTable(results), nextSteps(isBuilt));
  return results.every((result) => result.faults.length === 0) ? exitCodes.ok : exitCodes.no;
}

async function showUntil(stopped: Promise<void>, cast: Cast, probes: readonly Probe[]): Promise<number> {
  const { writer, release } = holdLines(createLineWriter(process.stdout));
  const { addresses, configPath, server, close } = await createStage(cast, writer);
  process.on('SIGHUP', () => void server.reload('SIGHUP'));
  print(
    title(),
    addressBox(addresses, configPath),
    curlLines(probes, addresses.gate),
    nextSteps(isBuilt),
    closingLine(),
  );
  release();
  await stopped;
  await close('the demo is over');
  await writer.close(flushMs);
  return exitCodes.ok;
}

/** Resolves at the first stop signal; a second one ends the process as it would any other. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

/** Each block with an empty line before it. */
function print(...blocks: readonly string[]): void {
  for (const block of blocks) process.stdout.write(`\n${block}\n`);
}

const silence: LineWriter = { write() {}, droppedLines: 0, close: async () => {} };
