// What is in an executable, as CycloneDX 1.6 JSON (ECMA-424): for scanners that look for known weaknesses.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { version as esbuildVersion } from 'esbuild';
import type { BundledPackage } from './bundled-packages.ts';
import type { Identity } from './identity.ts';
import type { Runtime } from './runtime.ts';

export interface Contents {
  readonly identity: Identity;
  readonly executable: string;
  readonly packages: readonly BundledPackage[];
  readonly runtime: Runtime;
}

/** Holds neither a time nor anything random: equal executables have equal bills of materials. */
export function billOfMaterials({ identity, executable, packages, runtime }: Contents): object {
  const { version, commit } = identity;
  const jwtgate = `pkg:npm/jwtgate@${version}`;
  const sha256 = createHash('sha256').update(readFileSync(executable)).digest('hex');
  const components = [...packages.map(packageComponent), runtimeComponent(runtime)];
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: serialNumber(sha256),
    version: 1,
    metadata: {
      lifecycles: [{ phase: 'build' }],
      tools: { components: [{ type: 'application', name: 'esbuild', version: esbuildVersion }] },
      component: {
        type: 'application',
        'bom-ref': jwtgate,
        name: 'jwtgate',
        version,
        purl: jwtgate,
        licenses: [{ license: { id: 'MIT' } }],
        hashes: [{ alg: 'SHA-256', content: sha256 }],
        properties: [
          { name: 'jwtgate:commit', value: commit },
          { name: 'jwtgate:platform', value: `linux-${runtime.arch}` },
        ],
      },
    },
    components,
    dependencies: [
      { ref: jwtgate, dependsOn: components.map((component) => component['bom-ref']) },
      ...components.map((component) => ({
        ref: component['bom-ref'],
        dependsOn: 'components' in component ? component.components.map((inner) => inner['bom-ref']) : [],
      })),
    ],
  };
}

/** Of the executable's hash and not at random (RFC 9562 section 5.8). */
function serialNumber(sha256: string): string {
  const [, a, b, c, d, e] = /^(.{8})(.{4}).(.{3}).(.{3})(.{12})/.exec(sha256) as RegExpExecArray;
  return `urn:uuid:${a}-${b}-8${c}-8${d}-${e}`;
}

function packageComponent({ name, version, license, website, integrity }: BundledPackage) {
  const purl = npmPurl(name, version);
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    licenses: [licenseChoice(license)],
    hashes: [hashOfIntegrity(integrity)],
    ...(website && { externalReferences: [{ type: 'website', url: website }] }),
  };
}

/** Node's own name for a library it holds → what scanners call it. What is not here is Node's own, or data. */
const namesOfInnerLibraries: Readonly<Record<string, string>> = {
  ada: 'ada',
  ares: 'c-ares',
  brotli: 'brotli',
  icu: 'icu',
  llhttp: 'llhttp',
  nghttp2: 'nghttp2',
  openssl: 'openssl',
  simdjson: 'simdjson',
  simdutf: 'simdutf',
  sqlite: 'sqlite',
  undici: 'undici',
  uv: 'libuv',
  v8: 'v8',
  zlib: 'zlib',
  zstd: 'zstd',
};

function runtimeComponent({ version, arch }: Runtime) {
  const purl = npmPurl(`node-linux-${arch}`, version);
  return {
    type: 'platform',
    'bom-ref': purl,
    name: 'node',
    version,
    purl,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    licenses: [{ license: { id: 'MIT' } }],
    externalReferences: [{ type: 'website', url: 'https://nodejs.org' }],
    components: Object.entries(namesOfInnerLibraries).flatMap(([key, name]) =>
      innerLibrary(name, process.versions[key]),
    ),
  };
}

function innerLibrary(name: string, version: string | undefined) {
  if (!version) return [];
  const purl = name === 'undici' ? npmPurl(name, version) : `pkg:generic/${name}@${version}`;
  const cpe = name === 'openssl' ? { cpe: `cpe:2.3:a:openssl:openssl:${version}:*:*:*:*:*:*:*` } : {};
  return [{ type: 'library', 'bom-ref': purl, name, version, purl, ...cpe }];
}

function npmPurl(name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

function licenseChoice(license: string): object {
  return / (?:OR|AND|WITH) /.test(license) ? { expression: license } : { license: { id: license } };
}

/** "sha512-<base64>" → CycloneDX's form. */
function hashOfIntegrity(integrity: string): object {
  const [, bits, digest = ''] = /^sha(256|384|512)-([A-Za-z0-9+/]+=*)$/.exec(integrity) ?? [];
  if (bits === undefined) throw new Error(`no hash that CycloneDX knows: ${integrity}`);
  return { alg: `SHA-${bits}`, content: Buffer.from(digest, 'base64').toString('hex') };
}
