import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { OperatorListener } from '../../src/ops/operator-listener.ts';
import { createOpsListener, textAnswer } from '../../src/ops/ops-listener.ts';
import { freePort } from '../support/free-port.ts';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';

let ops: OperatorListener | undefined;
afterEach(async () => {
  await endAll();
  await ops?.close();
  ops = undefined;
});

async function startOps(readyStatus: number): Promise<string> {
  ops = await createOpsListener(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    new Map([
      ['/livez', () => textAnswer(200, 'ok\n')],
      ['/readyz', () => textAnswer(readyStatus, readyStatus === 200 ? 'ready\n' : 'not ready\n')],
    ]),
    async () => {},
  );
  return `http://${ops.address}`;
}

test.each([
  [200, [], 0, 'ready\n'],
  [503, [], 1, 'not ready\n'],
  [503, ['--live'], 0, 'ok\n'],
] as const)('readiness %i with %j: exit code %i', async (readyStatus, flags, code, text) => {
  const asked = startJwtgate(['healthcheck', '--url', await startOps(readyStatus), ...flags]);
  expect(await asked.ended).toBe(code);
  expect(asked.stdout).toBe(text);
});

test('nobody there: exit code 1, and it says why', async () => {
  const asked = startJwtgate(['healthcheck', '--url', `http://127.0.0.1:${await freePort()}`]);
  expect(await asked.ended).toBe(1);
  expect(asked.stderr).toContain('ECONNREFUSED');
});

test('somebody who never answers: exit code 1 after the timeout', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const asked = startJwtgate(['healthcheck', '--url', `http://127.0.0.1:${port}`, '--timeout', '0.2']);
  expect(await asked.ended).toBe(1);
  expect(asked.stderr).toContain('timed out');
  server.close();
});

test.each([
  ['a URL that is none', ['--url', 'localhost']],
  ['a URL of another scheme', ['--url', 'https://127.0.0.1']],
  ['a timeout that is no number', ['--url', 'http://127.0.0.1', '--timeout', 'soon']],
])('%s: exit code 2', async (_what, flags) => {
  expect(await startJwtgate(['healthcheck', ...flags]).ended).toBe(2);
});
