import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createLog } from '../../../src/ops/log.ts';
import { type Crew, createCrew } from '../../../src/server/workers/crew.ts';
import { createDealer, type Dealer } from '../../../src/server/workers/dealer.ts';
import { until } from '../../support/until.ts';

const dealers: Dealer[] = [];
const crews: Crew[] = [];
afterEach(async () => {
  for (const dealer of dealers.splice(0)) dealer.close();
  for (const crew of crews.splice(0)) await crew.dismiss(async (worker) => worker.kill(), 5_000);
});

const noteTaken =
  "const note = (id) => { const b = Buffer.alloc(8); b.writeDoubleLE(id); require('node:fs').writeSync(4, b, 0, 8, 0); }";

/** Workers that run these lines for each client that comes to them, and who is dealt out to them. */
async function dealTo(onClient: string) {
  const lines: Record<string, unknown>[] = [];
  const writer = { write: (line: string) => void lines.push(JSON.parse(line)), droppedLines: 0, close: async () => {} };
  const code = `${noteTaken}; process.on('message', ({ ask: { id } }, socket) => { ${onClient} })`;
  const crew = createCrew({
    size: 2,
    spawn: (_index, scoreboard): ChildProcess =>
      spawn(process.execPath, ['-e', code], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc', scoreboard?.fd],
        serialization: 'advanced',
      }),
    answers: (worker) => ({ load: worker.hear }) as never,
    async start(worker) {
      worker.state = 'serving';
      return undefined;
    },
    onServing: () => dealer.deal(),
    onEnded: () => undefined,
    onGivenUp: () => undefined,
    log: createLog(writer, 'info', 'json'),
    waits: { firstRestartMs: 10 },
  });
  crews.push(crew);
  const dealer = await createDealer('listen', { kind: 'tcp', host: '127.0.0.1', port: 0 }, () => crew.serving);
  dealers.push(dealer);
  await crew.begin();
  const port = dealer.address.kind === 'tcp' ? dealer.address.port : 0;
  return {
    crew,
    ended: () => lines.filter(({ msg }) => msg === 'worker ended').length,
    async client() {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      await once(socket, 'connect');
      return socket;
    },
  };
}

async function textOf(socket: Awaited<ReturnType<Awaited<ReturnType<typeof dealTo>>['client']>>): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  if (!socket.closed) await once(socket, 'close');
  return text;
}

test('a client that ends whatever worker it comes to ends three of them, and is cut off then', async () => {
  const { client, ended } = await dealTo('process.exit(1)');
  expect(await textOf(await client())).toBe('');
  await until('that is noticed', () => ended() === 3);
});

test('a client that was taken ends with its worker, at once and with nobody else', async () => {
  const { client, ended } = await dealTo('note(id); process.exit(1)');
  expect(await textOf(await client())).toBe('');
  await until('that is noticed', () => ended() === 1);
});

test('a client whose message came to nothing holds nobody up', async () => {
  const { client } = await dealTo(`
    if (globalThis.hadOne) { note(id); socket.end('served'); process.send({ kind: 'tell', name: 'load', ask: { taken: id, open: 0 } }); }
    else socket.destroy();
    globalThis.hadOne = true;`);
  const sockets = [await client(), await client(), await client(), await client()];
  const texts = await Promise.all(sockets.map(textOf));
  expect(texts.toSorted()).toEqual(['', '', 'served', 'served']);
});
