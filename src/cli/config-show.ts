import { dirname, relative } from 'node:path';
import { Document, isCollection, isMap, isScalar, type Node } from 'yaml';
import type { ConfigPath } from '../config/config-path.ts';
import { formatPath } from '../config/config-path.ts';
import { diskDeps } from '../config/deps.ts';
import { type EffectiveConfig, readEffectiveConfig } from '../config/effective-config.ts';
import { type EffectiveNode, shownValue } from '../config/effective-tree.ts';
import { formatProblems } from '../config/format-problems.ts';
import type { Origin } from '../config/origin.ts';
import { findConfigPath, noConfigText } from './config-path.ts';
import { exitCodes } from './exit-codes.ts';
import { noSuchTenant } from './no-such-tenant.ts';
import { wantsColor } from './wants-color.ts';

export interface ConfigShowOptions {
  readonly config?: string;
  readonly json?: true;
  /** Of this tenant alone. */
  readonly tenant?: string;
  /** False: without saying where values come from. */
  readonly origins: boolean;
  /** False: without what nobody said. */
  readonly defaults: boolean;
}

/**
 * Prints the effective config: includes gathered, templates merged, variables and defaults filled in, secrets masked, and
 * where each value comes from. 0 or 78.
 */
export async function showEffectiveConfig(options: ConfigShowOptions): Promise<number> {
  const path = findConfigPath(options.config, process.env);
  if (path === undefined) {
    process.stderr.write(noConfigText);
    return exitCodes.config;
  }
  const read = await readEffectiveConfig(path, diskDeps(process.env));
  if (!read.ok) {
    process.stderr.write(formatProblems(read.problems, { color: wantsColor(process.stderr) }));
    return exitCodes.config;
  }
  const root = rootOf(read, options.tenant);
  if (root === undefined) {
    process.stderr.write(`jwtgate: ${noSuchTenant(path, String(options.tenant), read.tenants.keys())}\n`);
    return exitCodes.usage;
  }
  const nameOf = (file: string) => relative(dirname(path), file);
  process.stdout.write(options.json ? jsonOf(root, options, nameOf) : yamlOf(root, options, nameOf));
  return exitCodes.ok;
}

/** Both parts as one tree. */
function rootOf({ globals, tenants }: EffectiveConfig, tenant: string | undefined): EffectiveNode | undefined {
  const origin: Origin = globals.origin;
  if (tenant !== undefined) {
    const node = tenants.get(tenant);
    if (node === undefined) return undefined;
    const entries = new Map([['tenants', { kind: 'map' as const, entries: new Map([[tenant, node]]), origin }]]);
    return { kind: 'map', entries, origin };
  }
  const own = globals.kind === 'map' ? globals.entries : new Map<string, EffectiveNode>();
  return { kind: 'map', entries: new Map([...own, ['tenants', { kind: 'map', entries: tenants, origin }]]), origin };
}

type NameOf = (file: string) => string;

/** YAML that can be loaded again, but for its secrets; origins are comments. */
function yamlOf(root: EffectiveNode, { origins, defaults }: ConfigShowOptions, nameOf: NameOf): string {
  const document = new Document(shownValue(root, defaults));
  if (origins) comment(document.contents, root, nameOf);
  return document.toString({ lineWidth: 0 });
}

function comment(node: Node | null, { origin, ...effective }: EffectiveNode, nameOf: NameOf): void {
  if (isMap(node) && effective.kind === 'map') {
    for (const { key, value } of node.items) {
      const member = effective.entries.get(isScalar(key) ? String(key.value) : String(key));
      if (member !== undefined) comment(value as Node | null, member, nameOf);
    }
  } else if (isCollection(node) && effective.kind === 'list') {
    for (const [index, item] of node.items.entries()) {
      const member = effective.items[index];
      if (member !== undefined) comment(item as Node, member, nameOf);
    }
  }
  if (isScalar(node)) node.comment = ` ${describeOrigin(origin, nameOf)}`;
}

function describeOrigin(origin: Origin, nameOf: NameOf): string {
  if (origin.from === 'default') return 'default';
  const { file, line, template, variables } = origin;
  const place = `${nameOf(file)}:${line}`;
  const filled = variables.map((name) => `, $${name}`).join('');
  return template === undefined ? `${place}${filled}` : `${place}, template ${template}${filled}`;
}

function jsonOf(root: EffectiveNode, { origins, defaults }: ConfigShowOptions, nameOf: NameOf): string {
  const config = shownValue(root, defaults);
  const shown = origins ? { config, origins: [...leaves(root, [], defaults)].map(toJson(nameOf)) } : config;
  return `${JSON.stringify(shown, null, 2)}\n`;
}

interface Leaf {
  readonly path: ConfigPath;
  readonly origin: Origin;
}

function* leaves(node: EffectiveNode, path: ConfigPath, defaults: boolean): Generator<Leaf> {
  if (node.kind === 'scalar') {
    if (defaults || node.origin.from !== 'default') yield { path, origin: node.origin };
    return;
  }
  const members = node.kind === 'map' ? node.entries.entries() : node.items.entries();
  for (const [key, member] of members) yield* leaves(member, [...path, key], defaults);
}

function toJson(nameOf: NameOf) {
  return ({ path, origin }: Leaf) => ({
    path: formatPath(path),
    ...origin,
    ...(origin.from === 'file' ? { file: nameOf(origin.file) } : {}),
  });
}
