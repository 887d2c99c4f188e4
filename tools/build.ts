// `npm run build`: src/main.ts → one CommonJS bundle → dist/jwtgate, the pinned Node with that bundle inside.
//   --arch x64 --arch arm64   for these machines; for another than this, dist/jwtgate-linux-ARCH
//   --out DIR                 instead of dist
// Why it is done this way, and what else was tried: docs/decisions/packaging.md.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleSources } from './build/bundle.ts';
import { findBundledPackages } from './build/bundled-packages.ts';
import { makeExecutable } from './build/executable.ts';
import { findIdentity } from './build/identity.ts';
import { thirdPartyLicenses } from './build/licenses.ts';
import { root } from './build/root.ts';
import { type Arch, archs, findRuntime } from './build/runtime.ts';
import { billOfMaterials } from './build/sbom.ts';

const { values } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true, default: [process.arch] },
    out: { type: 'string', default: join(root, 'dist') },
  },
});
const unknown = values.arch.find((arch) => !archs.includes(arch as Arch));
if (unknown !== undefined) throw new Error(`--arch ${unknown}: there are ${archs.join(' and ')}`);
const dist = resolve(values.out);

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const identity = findIdentity();
const packages = findBundledPackages(await bundleSources(dist, identity));
for (const arch of values.arch as Arch[]) buildFor(arch);

function buildFor(arch: Arch): void {
  const scratch = mkdtempSync(join(tmpdir(), 'jwtgate-runtime-'));
  try {
    const runtime = findRuntime(arch, scratch);
    const licenses = join(dist, 'THIRD-PARTY-LICENSES.txt');
    writeFileSync(licenses, thirdPartyLicenses(packages, runtime));
    const executable = join(dist, arch === process.arch ? 'jwtgate' : `jwtgate-linux-${arch}`);
    makeExecutable(executable, { code: dist, runtime, assets: { 'licenses.txt': licenses } });
    const bom = billOfMaterials({ identity, executable, packages, runtime });
    writeFileSync(`${executable}.cdx.json`, `${JSON.stringify(bom, null, 2)}\n`);
    const size = `${(statSync(executable).size / 1e6).toFixed(1)} MB`;
    console.log(`${relative(process.cwd(), executable)}  ${size}  (${askVersion(executable, runtime.runner)})`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function askVersion(executable: string, runner: readonly string[] | undefined): string {
  if (runner === undefined) return 'not tried: it is for another machine';
  const [command = '', ...args] = [...runner, executable, '--version'];
  return execFileSync(command, args, { encoding: 'utf8' }).trim();
}
