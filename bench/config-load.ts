import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { formatTable } from './report.ts';

interface ConfigLoad {
  readonly loadMs: number;
  readonly heapBytes: number;
  readonly rssBytes: number;
}

const mostMs = 120_000;

/** Prints what it takes to load a config of so many tenants, each of which is a line with a secret of its own. */
export async function measureConfigLoads(tenantCounts: readonly number[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'jwtgate-bench-'));
  try {
    const rows: string[][] = [];
    for (const tenants of tenantCounts) rows.push(await measureOne(join(directory, 'config.yaml'), tenants));
    const head = ['tenants', 'file MB', 'load ms', 'µs/tenant', 'heap bytes/tenant', 'RSS MB after'];
    process.stdout.write(`\n## config: loading, each in a new process\n${formatTable([head, ...rows])}\n`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function measureOne(file: string, tenants: number): Promise<string[]> {
  const text = writeManyTenants(tenants);
  writeFileSync(file, text);
  const child = join(import.meta.dirname, 'load-one-config.ts');
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', child, file], { timeout: mostMs });
    const load = JSON.parse(stdout) as ConfigLoad;
    return [
      tenants.toLocaleString('en'),
      (text.length / 1e6).toFixed(2),
      load.loadMs.toFixed(0),
      ((load.loadMs * 1000) / tenants).toFixed(0),
      (load.heapBytes / tenants).toFixed(0),
      (load.rssBytes / 1e6).toFixed(0),
    ];
  } catch (fault) {
    return [tenants.toLocaleString('en'), `failed: ${String(fault).slice(0, 300)}`];
  }
}

/** Like the app gateway of docs/systems: thousands of tenants that share a template. */
function writeManyTenants(tenants: number): string {
  const lines = Array.from({ length: tenants }, (_, i) => `  app-${i}: {template: app, secret: ${secretOf(i)}}`);
  return `listen: 127.0.0.1:8080
upstream: http://127.0.0.1:3000
templates:
  app: {algorithms: [HS256], match: {path: "/\${tenant}/**"}}
tenants:
${lines.join('\n')}
`;
}

function secretOf(tenant: number): string {
  return `secret-${String(tenant).padStart(32, '0')}`;
}
