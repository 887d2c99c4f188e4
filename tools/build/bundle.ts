// src/main.ts → one CommonJS file, which is what the executable and the npm package run.
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import type { Identity } from './identity.ts';
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

/**
 * Writes jwtgate.cjs and its map to `folder`. White space and syntax go, names stay: a stack trace names the functions, the map beside the bundle the lines.
 * Nothing of this machine gets in, neither paths nor the time: the same sources give the same bytes.
 */
export async function bundleSources(folder: string, { version, commit }: Identity): Promise<Metafile> {
  const { warnings, metafile, outputFiles } = await build({
    absWorkingDir: root,
    // Else a linked node_modules would put its own path into module names.
    preserveSymlinks: true,
    entryPoints: [join('src', 'main.ts')],
    outfile: join('dist', 'jwtgate.cjs'), // The map's paths are relative to it, wherever it really goes.
    write: false,
    bundle: true,
    platform: 'node',
    target: `node${process.versions.node}`,
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    lineLimit: 160, // An uncaught error prints its source line: that must not be the whole program.
    legalComments: 'none', // THIRD-PARTY-LICENSES.txt has them whole.
    sourcemap: 'external',
    define: { __VERSION__: JSON.stringify(version), __COMMIT__: JSON.stringify(commit) },
    plugins: [withoutUnusedHttp2],
    metafile: true,
    logLevel: 'warning',
  });
  if (warnings.length > 0) throw new Error('the bundle has warnings: see above');
  for (const { path, contents } of outputFiles) writeFileSync(join(folder, basename(path)), contents);
  return metafile;
}
