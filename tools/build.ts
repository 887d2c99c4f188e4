// `npm run build`: src/main.ts → one CommonJS bundle → dist/jwtgate, the pinned Node with that bundle inside.
// `--out DIR` puts it elsewhere. Why it is done this way, and what else was tried: docs/decisions/packaging.md.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleSources } from './build/bundle.ts';
import { findBundledPackages } from './build/bundled-packages.ts';
import { makeExecutable } from './build/executable.ts';
import { findIdentity } from './build/identity.ts';
import { thirdPartyLicenses } from './build/licenses.ts';
import { root } from './build/root.ts';
import { thisRuntime } from './build/runtime.ts';
import { billOfMaterials } from './build/sbom.ts';

const { values } = parseArgs({ options: { out: { type: 'string', default: join(root, 'dist') } } });
const dist = resolve(values.out);

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const identity = findIdentity();
const runtime = thisRuntime();
const packages = findBundledPackages(await bundleSources(dist, identity));
const licenses = join(dist, 'THIRD-PARTY-LICENSES.txt');
writeFileSync(licenses, thirdPartyLicenses(packages, runtime));
const executable = join(dist, 'jwtgate');
makeExecutable(executable, { code: dist, runtime, assets: { 'licenses.txt': licenses } });
const bom = billOfMaterials({ identity, executable, packages, runtime });
writeFileSync(`${executable}.cdx.json`, `${JSON.stringify(bom, null, 2)}\n`);

const answer = execFileSync(executable, ['--version'], { encoding: 'utf8' }).trim();
console.log(`${relative(process.cwd(), executable)}  ${(statSync(executable).size / 1e6).toFixed(1)} MB  (${answer})`);
