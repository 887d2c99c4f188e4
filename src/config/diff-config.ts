import type { ConfigPath } from './config-path.ts';
import type { EffectiveConfig } from './effective-config.ts';
import { type EffectiveNode, redacted } from './effective-tree.ts';

/** One value that differs. Undefined: it is not there, or not to be shown. */
export interface Change {
  /** Below the tenant, or from the config's root. */
  readonly path: ConfigPath;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly before: EffectiveNode | undefined;
  readonly after: EffectiveNode | undefined;
  /** True: only that it changed may be said. */
  readonly isSecret: boolean;
}

export interface ConfigDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Tenants that are in both, and differ. */
  readonly changed: ReadonlyMap<string, TenantChanges>;
  readonly globals: readonly Change[];
  /** A file or a variable that the main file's own values name has another content. */
  readonly contents: boolean;
  /** Were contents compared at all? */
  readonly contentsCompared: boolean;
}

export interface TenantChanges {
  readonly changes: readonly Change[];
  /** A file or a variable that it names has another content. */
  readonly contents: boolean;
}

/** What of the effective config differs: not how it is written, but what it means. */
export function diffConfigs(before: EffectiveConfig, after: EffectiveConfig): ConfigDiff {
  const contentsCompared = before.contents !== undefined && after.contents !== undefined;
  const contentsDiffer = (key: string | undefined): boolean =>
    contentsCompared && before.contents?.get(key) !== after.contents?.get(key);
  const changed = new Map<string, TenantChanges>();
  for (const [id, tenant] of after.tenants) {
    const was = before.tenants.get(id);
    if (was === undefined) continue;
    const changes = diffNodes(was, tenant, []);
    const contents = contentsDiffer(id);
    if (changes.length > 0 || contents) changed.set(id, { changes, contents });
  }
  const added = [...after.tenants.keys()].filter((id) => !before.tenants.has(id));
  const removed = [...before.tenants.keys()].filter((id) => !after.tenants.has(id));
  const globals = diffNodes(before.globals, after.globals, []);
  return {
    added,
    removed,
    changed,
    globals,
    contents: contentsDiffer(undefined),
    contentsCompared,
  };
}

export function isSame({ added, removed, changed, globals, contents }: ConfigDiff): boolean {
  return added.length + removed.length + changed.size + globals.length === 0 && !contents;
}

function diffNodes(before: EffectiveNode, after: EffectiveNode, path: ConfigPath): readonly Change[] {
  if (before.kind === 'map' && after.kind === 'map') {
    const keys = new Set([...before.entries.keys(), ...after.entries.keys()]);
    return [...keys].flatMap((key) => diffMaybe(before.entries.get(key), after.entries.get(key), [...path, key]));
  }
  if (before.kind === 'list' && after.kind === 'list') return diffLists(before.items, after.items, path);
  if (equalNodes(before, after)) return [];
  return [changeOf('changed', before, after, path)];
}

function diffMaybe(
  before: EffectiveNode | undefined,
  after: EffectiveNode | undefined,
  path: ConfigPath,
): readonly Change[] {
  if (before === undefined) return after === undefined ? [] : [changeOf('added', undefined, after, path)];
  if (after === undefined) return [changeOf('removed', before, undefined, path)];
  return diffNodes(before, after, path);
}

function changeOf(
  kind: Change['kind'],
  before: EffectiveNode | undefined,
  after: EffectiveNode | undefined,
  path: ConfigPath,
): Change {
  return { path, kind, before, after, isSecret: isSecret(before) || isSecret(after) };
}

function isSecret(node: EffectiveNode | undefined): boolean {
  return node?.kind === 'scalar' && node.shown === redacted;
}

/**
 * Items that both lists have, at least by name, stay where they are; what stands between them was added or removed, or,
 * in pairs, changed.
 * Paths are those of the new list, of the old one for what was removed.
 */
function diffLists(
  before: readonly EffectiveNode[],
  after: readonly EffectiveNode[],
  path: ConfigPath,
): readonly Change[] {
  const changes: Change[] = [];
  let [i, j] = [0, 0];
  for (const [nextI, nextJ] of [...commonItems(before, after), [before.length, after.length] as const]) {
    const [was, is] = [before.slice(i, nextI), after.slice(j, nextJ)];
    for (let at = 0; at < Math.max(was.length, is.length); at++) {
      changes.push(...diffMaybe(was[at], is[at], [...path, at < is.length ? j + at : i + at]));
    }
    changes.push(...diffMaybe(before[nextI], after[nextJ], [...path, nextJ]));
    i = nextI + 1;
    j = nextJ + 1;
  }
  return changes;
}

/** Longer lists are compared item by item: nobody reads a diff of them anyhow. */
const mostAligned = 500;

/** Positions of the longest common run of items, not necessarily adjacent. */
function commonItems(a: readonly EffectiveNode[], b: readonly EffectiveNode[]): (readonly [number, number])[] {
  if (a.length > mostAligned || b.length > mostAligned) return [];
  const lengths = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const same = isSameItem(a[i] as EffectiveNode, b[j] as EffectiveNode);
      (lengths[i] as number[])[j] = same ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: (readonly [number, number])[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (isSameItem(a[i] as EffectiveNode, b[j] as EffectiveNode)) pairs.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}

/** What an item of a list is called by, the first that it has: a route's path, a key's kid, where a token is. */
const names = ['path', 'kid', 'header', 'query', 'cookie', 'host', 'issuer'];

function isSameItem(a: EffectiveNode, b: EffectiveNode): boolean {
  if (a.kind !== 'map' || b.kind !== 'map') return equalNodes(a, b);
  const name = names.find((one) => a.entries.has(one));
  const [mine, other] = [a.entries.get(name ?? ''), b.entries.get(name ?? '')];
  return mine === undefined ? equalNodes(a, b) : other !== undefined && equalNodes(mine, other);
}

function equalNodes(a: EffectiveNode, b: EffectiveNode): boolean {
  if (a.kind === 'scalar' || b.kind === 'scalar') {
    return a.kind === 'scalar' && b.kind === 'scalar' && a.value.reveal() === b.value.reveal();
  }
  if (a.kind === 'list' || b.kind === 'list') {
    if (a.kind !== 'list' || b.kind !== 'list' || a.items.length !== b.items.length) return false;
    return a.items.every((item, index) => equalNodes(item, b.items[index] as EffectiveNode));
  }
  if (a.entries.size !== b.entries.size) return false;
  return [...a.entries].every(([key, member]) => {
    const other = b.entries.get(key);
    return other !== undefined && equalNodes(member, other);
  });
}
