import { describe, expect, test } from 'vitest';
import { type Import, importsOf, type SourceFile, sourceFiles } from './support/source-imports.ts';

/** From the outside in: a part may import what stands further right, and nothing beside or left of itself. */
const order = [
  ['main'],
  ['cli'],
  ['server'],
  ['fixtures'],
  ['explain', 'status'],
  ['wire', 'config', 'ops'],
  ['gate'],
  ['sign'],
  ['outbound'],
  ['state'],
  ['keys'],
  ['cel', 'template'],
];
/** Types of tokens, requests and reasons are the gate's; these may name them. */
const mayNameGateTypes = new Set(['keys', 'state', 'sign', 'template']);

const proxyLibraries = new Set(['httpxy', 'http-proxy', 'http-proxy-3']);
const outsideWorld =
  /^node:(net|tls|http|https|http2|dgram|dns|fs|fs\/promises|child_process|cluster|worker_threads|os|process|timers|timers\/promises|perf_hooks|readline|tty)$/;
const clockOrEnvironment =
  /\b(process\s*[.[]|Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|setImmediate|console\s*\.|fetch\s*\()/;

const files = sourceFiles();
const imports = files.flatMap(importsOf);

describe('the house keeps its directions', () => {
  test('imports point one way: main, cli, server, {explain, status}, {wire, config, ops}, gate, sign, outbound, state, keys, {cel, template}', () => {
    expect(imports.filter((one) => !pointsInward(one)).map(show)).toEqual([]);
  });

  test('no file imports itself by way of others', () => {
    expect(findCycle(imports.filter((one) => !one.typeOnly))).toBeUndefined();
  });

  test('the gate imports no socket, file, clock or environment', () => {
    const gate = files.filter((file) => partOf(file.path) === 'gate');
    expect(
      gate
        .flatMap(importsOf)
        .filter((one) => outsideWorld.test(one.to))
        .map(show),
    ).toEqual([]);
    expect(gate.filter((file) => clockOrEnvironment.test(file.code)).map((file) => file.path)).toEqual([]);
  });

  test('exactly one file imports the proxy library', () => {
    const users = new Set(imports.filter((one) => proxyLibraries.has(one.to)).map((one) => one.from));
    expect([...users]).toHaveLength(1);
  });

  test('a file is named by its one idea, in kebab-case', () => {
    const names = files.map((file) => file.path);
    expect(names.filter((name) => /(^|[/-])(utils?|helpers?|common|misc)([./-]|$)/.test(name))).toEqual([]);
    expect(names.filter((name) => !/^src\/([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(name))).toEqual(
      [],
    );
  });

  test('nothing has a default export', () => {
    expect(files.filter((file) => /^export default\b/m.test(file.code)).map((file) => file.path)).toEqual([]);
  });
});

describe('the checks above can fail', () => {
  const check = (path: string, code: string) => importsOf({ path, code } satisfies SourceFile);

  test.each([
    ['src/gate/decide.ts', "import { connect } from '../wire/pool.ts';"],
    ['src/gate/decide.ts', "import type { Pool } from '../wire/pool.ts';"],
    ['src/wire/lane.ts', "import { load } from '../config/load.ts';"],
    ['src/keys/ring.ts', "import { decide } from '../gate/decide.ts';"],
    ['src/keys/ring.ts', "export { find } from '../state/cache.ts';"],
    ['src/server.ts', "const { cli } = await import('./cli/cli.ts');"],
  ])('%s: %s', (path, code) => {
    expect(check(path, code).filter((one) => !pointsInward(one))).toHaveLength(1);
  });

  test('types of the gate may be named by the keys', () => {
    expect(check('src/keys/ring.ts', "import type { Reason } from '../gate/reasons.ts';").every(pointsInward)).toBe(
      true,
    );
  });

  test('a circle of three is found', () => {
    const edge = (from: string, to: string): Import => ({ from, to, typeOnly: false });
    expect(findCycle([edge('a', 'b'), edge('b', 'c'), edge('c', 'a')])).toEqual(['a', 'b', 'c', 'a']);
  });
});

function pointsInward({ from, to, typeOnly }: Import): boolean {
  if (!to.startsWith('src/')) return true;
  const [here, there] = [partOf(from), partOf(to)];
  if (here === there) return true;
  if (typeOnly && there === 'gate' && mayNameGateTypes.has(here)) return true;
  return rankOf(there) > rankOf(here);
}

function partOf(path: string): string {
  return (path.split('/')[1] as string).replace(/\.ts$/, '');
}

function rankOf(part: string): number {
  const rank = order.findIndex((parts) => parts.includes(part));
  if (rank < 0) throw new Error(`src/${part} has no place in the order: add it to this test and to the design`);
  return rank;
}

function findCycle(edges: readonly Import[]): string[] | undefined {
  const next = Map.groupBy(edges, (edge) => edge.from);
  const done = new Set<string>();
  const walk = (node: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const edge of next.get(node) ?? []) {
      const cycle = walk(edge.to, [...trail, node]);
      if (cycle) return cycle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of next.keys()) {
    const cycle = walk(node, []);
    if (cycle) return cycle;
  }
  return undefined;
}

function show({ from, to }: Import): string {
  return `${from} imports ${to}`;
}
