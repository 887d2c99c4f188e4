// Modules that a start may do without are loaded when something of them is first used.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import type { OnResolveArgs, Plugin } from 'esbuild';
import { root } from './root.ts';

/**
 * A module qualifies if loading it has no effect but time, and if nobody needs it while he is loaded himself. What each
 * is worth: docs/decisions/packaging.md.
 */
const putOff: ReadonlySet<string> = new Set([
  'node:https', // until something speaks TLS
  'node:tls',
]);

/** Put off too, and beside the bundle instead of in it, so that their text takes no memory: package → file. */
export const parts: Readonly<Record<string, string>> = {
  re2js: 're2js.cjs', // until a claim is matched
  '@marcbachmann/cel-js': 'cel-js.cjs', // until a config has a rule
  '@redis/client': 'redis-client.cjs', // until replicas share which tokens were used
};

/** Our own files: shapes of keys that a config may not have … */
const shapes = /^src\/config\/shape\/(?!(?:config|defaults|issue-text|lazy-fields|sensitive|tenant|values|walk)\.ts$)/;

/** … and folders, when something outside of them asks: rules, and what answers an operator. */
const folders = ['src/cel', 'src/explain', 'src/status'];

function isRare(file: string, importer: string): boolean {
  return shapes.test(file) || folders.some((folder) => dirname(file) === folder && dirname(importer) !== folder);
}

/**
 * Puts an object between such a module and those that import it, with a getter for each of its names. Types are
 * untouched, and so is what the sources do when they run as they are.
 */
export const putOffModules: Plugin = {
  name: 'put-off-modules',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /^/ }, async (args) => {
      if (args.pluginData === resolving) return undefined;
      if (args.namespace === 'put-off')
        return Object.values(parts).includes(args.path.slice(2)) ? { path: args.path, external: true } : undefined;
      if (args.kind !== 'import-statement' && args.kind !== 'dynamic-import') return undefined;
      const path = await nameOf(args);
      return path === undefined ? undefined : { path, namespace: 'put-off' };
    });

    /** What stands for the module: its name, or its path from the root; undefined where it is not put off. */
    async function nameOf(args: OnResolveArgs): Promise<string | undefined> {
      if (putOff.has(args.path) || args.path in parts) return args.path;
      if (!args.path.startsWith('.')) return undefined;
      const { importer, resolveDir, kind } = args;
      const { path } = await resolve(args.path, { importer, resolveDir, kind, pluginData: resolving });
      const file = relative(root, path);
      return isRare(file, relative(root, importer)) ? file : undefined;
    }

    onLoad({ filter: /^/, namespace: 'put-off' }, ({ path }) => {
      const isFile = path.startsWith('src/');
      const names = isFile ? exportedNames(join(root, path)) : Object.keys(createRequire(import.meta.url)(path));
      const getters = names
        .filter((name) => name !== 'default')
        .map((name) => `get ${name}() { return load().${name}; }`);
      const real = isFile || path in parts ? `./${parts[path] ?? path}` : path;
      return {
        contents: `const load = () => require(${JSON.stringify(real)});\nmodule.exports = { ${getters.join(', ')} };`,
        resolveDir: root,
      };
    });
  },
};

const resolving = Symbol();

/** Of one of our own files: `export const name`, `export function name`. */
function exportedNames(file: string): string[] {
  const source = readFileSync(file, 'utf8');
  if (/^export (?:\{|\*|default)/m.test(source)) throw new Error(`${file}: put-off.ts can't tell what it exports`);
  return [...source.matchAll(/^export (?:async )?(?:const|function|class) (\w+)/gm)].map(([, name]) => name as string);
}
