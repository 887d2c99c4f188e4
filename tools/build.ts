// `npm run build`: src/main.ts → one CommonJS bundle → dist/jwtgate, the pinned Node with that bundle inside.
// Why it is done this way, and what else was tried: docs/decisions/packaging.md.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const work = join(dist, '.work');
const bundle = join(dist, 'jwtgate.cjs');
const executable = join(dist, 'jwtgate');

/** A small young generation: least memory by far, at no measured cost in CPU. */
const heapFlags = ['--max-semi-space-size=1'];
/** SIGUSR1 would open a debugger that every container of the pod can reach. */
const runtimeFlags = [...heapFlags, '--disable-sigusr1'];

interface Identity {
  readonly version: string;
  readonly commit: string;
}

async function main(): Promise<void> {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const identity = { version: packageVersion(), commit: findCommit() ?? 'unknown' };
  await bundleSources(identity);
  injectBundle(strippedRuntime());
  rmSync(work, { recursive: true });
  const answer = execFileSync(executable, ['--version'], { encoding: 'utf8' }).trim();
  console.log(`dist/jwtgate  ${(statSync(executable).size / 1e6).toFixed(1)} MB  (${answer})`);
}

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

/** Whitespace and syntax go, names stay: a stack trace names the functions, the map beside the bundle the lines. */
async function bundleSources({ version, commit }: Identity): Promise<void> {
  const { warnings } = await build({
    entryPoints: [join(root, 'src/main.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    target: `node${process.versions.node}`,
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    lineLimit: 160, // An uncaught error prints its source line: that must not be the whole program.
    legalComments: 'eof',
    sourcemap: 'external',
    define: { __VERSION__: JSON.stringify(version), __COMMIT__: JSON.stringify(commit) },
    plugins: [withoutUnusedHttp2],
    logLevel: 'warning',
  });
  if (warnings.length > 0) throw new Error('the bundle has warnings: see above');
}

/** A copy of the Node that runs this script, without its symbols where `strip` is there: a fifth smaller, same memory. */
function strippedRuntime(): string {
  const copy = join(work, 'node');
  copyFileSync(process.execPath, copy);
  // Before the injection and never after it: a stripped executable loses what was injected.
  const { status, error } = spawnSync('strip', ['--strip-all', copy], { stdio: 'inherit' });
  if (error) console.warn('strip is not installed (binutils): the executable is about 30 MB larger');
  else if (status !== 0) throw new Error(`strip failed with status ${status}`);
  return copy;
}

function injectBundle(runtime: string): void {
  const config = join(work, 'sea.json');
  writeFileSync(
    config,
    JSON.stringify({
      main: bundle,
      output: executable,
      executable: runtime,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      execArgv: runtimeFlags,
      execArgvExtension: 'none', // NODE_OPTIONS of whoever starts it can't load code into it.
    }),
  );
  // The code cache is bound to V8's flags, so it is made under those that it will run with.
  execFileSync(process.execPath, [...heapFlags, '--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function packageVersion(): string {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
}

/** From the environment where there is no repository (an image build); undefined when neither tells. */
function findCommit(): string | undefined {
  if (process.env.JWTGATE_COMMIT) return process.env.JWTGATE_COMMIT;
  const { status, stdout } = spawnSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

await main();
