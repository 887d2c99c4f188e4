import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { testCertificates } from '../support/certificates.ts';
import { startJwtgate } from '../support/jwtgate-process.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import { mintHs256 } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { executable, packagedRig, secret } from './rig.ts';

/* What a start leaves for later has to be there when it is asked for (tools/build/put-off.ts). */

const rig = packagedRig();

describe('what comes later is there', () => {
  test('expressions on claims', async () => {
    const url = await run('claims: {sub: {matches: "a.*e"}}');
    expect(await ask(url, { sub: 'alice' })).toBe(200);
    expect(await ask(url, { sub: 'bob' })).toBe(403);
  });

  test('rules in CEL', async () => {
    const url = await run('rule: claims.role == "admin" && claims.sub.startsWith("a")');
    expect(await ask(url, { sub: 'alice', role: 'admin' })).toBe(200);
    expect(await ask(url, { sub: 'alice', role: 'guest' })).toBe(403);
  });

  test.skipIf(!hasRedis)('single use, shared by Redis (needs redis-server)', async () => {
    await using redis = await startRedis();
    const url = await run(`replay: {store: "redis://127.0.0.1:${redis.port}/0", timeout: 10s}`);
    const exp = Math.floor(Date.now() / 1000) + 60;
    await until('it is connected', async () => (await ask(url, { sub: 'alice', jti: 'first', exp })) !== 503);
    const claims = { sub: 'alice', jti: 'second', exp };
    expect([await ask(url, claims), await ask(url, claims)]).toEqual([200, 401]);
  });

  test('TLS to the upstream', async () => {
    const { ca, server: own } = testCertificates();
    const server = createServer(own, (_, answer) => answer.end('secure'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    writeFileSync(join(rig.directory, 'ca.pem'), ca);
    const { port } = server.address() as AddressInfo;
    const url = await run(`upstream: {url: "https://localhost:${port}", tls: {ca: ca.pem}}`);
    expect(await ask(url, { sub: 'alice' })).toBe(200);
    server.closeAllConnections();
    server.close();
  });

  test('every shape of the config, for its JSON Schema', async () => {
    const asked = startJwtgate(['schema'], { executable: [executable] });
    expect(await asked.ended).toBe(0);
    expect(Object.keys(JSON.parse(asked.stdout).definitions)).toEqual(
      expect.arrayContaining(['tenant', 'sign', 'cors', 'jwks', 'revoked', 'replay', 'verify']),
    );
  });
});

test('a start with a plain config loads neither TLS nor HTTP/2', async () => {
  writeConfig('');
  const tellModules = join(rig.directory, 'tell-modules.cjs');
  writeFileSync(
    tellModules,
    `const write = process.stdout.write.bind(process.stdout);
     process.stdout.write = (text, ...rest) => {
       if (String(text).includes('"started"')) write(JSON.stringify({ loaded: process.moduleLoadList }) + '\\n', () => process.exit());
       return write(text, ...rest);
     };`,
  );
  const bundle = resolve(import.meta.dirname, '../../dist/jwtgate.cjs');
  const child = spawn(process.execPath, ['-r', tellModules, bundle, 'run', '-c', join(rig.directory, 'config.yaml')]);
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  await once(child, 'close');
  const { loaded } = JSON.parse(/^\{"loaded":.*$/m.exec(said)?.[0] ?? '{"loaded":[]}') as { loaded: string[] };
  expect(loaded).toContain('NativeModule http');
  expect(loaded.filter((name) => /^NativeModule (?:tls|https|http2)$/.test(name))).toEqual([]);
});

/** With these lines for the one tenant; resolves with the proxy's address. */
async function run(lines: string): Promise<string> {
  writeConfig(lines);
  const gate = startJwtgate(['run', '-c', join(rig.directory, 'config.yaml')], { executable: [executable] });
  const { proxy } = await gate.logged('started');
  expect(gate.stderr).toBe('');
  return `http://${proxy}/`;
}

function writeConfig(lines: string): void {
  writeFileSync(
    join(rig.directory, 'config.yaml'),
    `listen: 127.0.0.1:0
ops: 127.0.0.1:0
upstream: http://127.0.0.1:${rig.upstream.port}
tenants:
  acme:
    secret: {file: secret}
    algorithms: [HS256]
    ${lines}
`,
  );
}

async function ask(url: string, claims: Record<string, unknown>): Promise<number> {
  const exp = Math.floor(Date.now() / 1000) + 60;
  const token = mintHs256(secret, { claims: { exp, ...claims } });
  return (await fetch(url, { headers: { Authorization: `Bearer ${token}` } })).status;
}
