// src/main.ts → one CommonJS file, which is what the executable and the npm package run.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import { allDefaults } from '../../src/config/shape/defaults.ts';
import type { Identity } from './identity.ts';
import { parts, putOffModules } from './put-off.ts';
import { root } from './root.ts';

/** The proxy library imports http2 for a server of its own, which we never open: loading it is a tenth of the start. */
const withoutUnusedHttp2: Plugin = {
  name: 'without-unused-http2',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:http2$/ }, ({ importer }) => {
      return importer.includes('/node_modules/httpxy/') ? { path: 'http2', namespace: 'unused' } : undefined;
    });
    onLoad({ filter: /^/, namespace: 'unused' }, () => ({ contents: 'export default {};' }));
  },
};

/** The proxy library makes agents that we never use: the one for https would load all of TLS. */
const lazyAgents: Plugin = {
  name: 'lazy-agents',
  setup({ onLoad }) {
    onLoad({ filter: /[/]httpxy[/]dist[/]index[.]mjs$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const lazy = source.replace(/^\thttps: (new httpsNative\.Agent\(\{[^}]*\}\))$/m, '\tget https() { return $1; }');
      if (lazy === source) throw new Error(`${path} no longer makes its https agent where it did`);
      return { contents: lazy };
    });
  },
};

/**
 * Writes jwtgate.cjs, its parts and their maps to `folder`. White space and syntax go, names stay: a stack trace names
 * the functions, the map beside the bundle the lines. Nothing of this machine gets in, neither paths nor the time: the
 * same sources give the same bytes.
 */
export async function bundleSources(folder: string, { version, commit }: Identity): Promise<Metafile[]> {
  const define = {
    __VERSION__: JSON.stringify(version),
    __COMMIT__: JSON.stringify(commit),
    __DEFAULTS__: exactJson(allDefaults()),
  };
  const plugins = [withoutUnusedHttp2, lazyAgents, putOffModules];
  return await Promise.all([
    bundleOne(folder, join('src', 'main.ts'), 'jwtgate.cjs', { define, plugins }),
    ...Object.entries(parts).map(([name, file]) => bundleOne(folder, name, file, {})),
  ]);
}

function exactJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (!isDeepStrictEqual(JSON.parse(json), value)) throw new Error(`JSON does not hold all of ${json}`);
  return json;
}

async function bundleOne(folder: string, entry: string, file: string, options: BuildOptions): Promise<Metafile> {
  const { warnings, metafile, outputFiles } = await build({
    ...options,
    absWorkingDir: root,
    // Else a linked node_modules would put its own path into module names.
    preserveSymlinks: true,
    entryPoints: [entry],
    outfile: join('dist', file), // The map's paths are relative to it, wherever it really goes.
    write: false,
    bundle: true,
    platform: 'node',
    target: `node${process.versions.node}`,
    format: 'cjs',
    charset: 'ascii', // One byte a character is what the loader counts on.
    minifySyntax: true,
    minifyWhitespace: true,
    lineLimit: 160, // An uncaught error prints its source line: that must not be the whole program.
    legalComments: 'none', // THIRD-PARTY-LICENSES.txt has them whole.
    sourcemap: 'external',
    metafile: true,
    logLevel: 'warning',
  });
  if (warnings.length > 0) throw new Error(`the bundle ${file} has warnings: see above`);
  for (const { path, contents } of outputFiles) writeFileSync(join(folder, basename(path)), contents);
  return metafile;
}
