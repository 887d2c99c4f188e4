import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { endAll } from '../support/jwtgate-process.ts';
import { type RunningGate, runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { until } from '../support/until.ts';

/** An upstream that streams for ever: WebSockets, and events over HTTP. */
let server: Server;
let port: number;
const handshakes: IncomingHttpHeaders[] = [];

beforeAll(async () => {
  server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write('data: tick\n\n'), 100);
    response.on('close', () => clearInterval(timer));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, handshake) => {
    handshakes.push(handshake.headers);
    socket.on('message', (data) => socket.send(data));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  await endAll();
  server.closeAllConnections();
  server.close();
});

const configText = (acme: string, more = '') => `
listen: 127.0.0.1:0
ops: 127.0.0.1:0
upstream: http://127.0.0.1:${port}
${more}
tenants:
  acme: {match: {path: /acme/**}, secret: ${secretOf('acme')}, clockSkew: 0s${acme}}
  globex: {match: {path: /globex/**}, secret: ${secretOf('globex')}}
`;

interface Stream {
  readonly opened: Promise<void>;
  /** WebSocket close code, or "cut". */
  readonly ended: Promise<number | string>;
  readonly isOpen: () => boolean;
  close(): void;
}

function openSocket(gate: RunningGate, token: string, tenant = 'acme'): Stream {
  const socket = new WebSocket(`ws://127.0.0.1:${gate.proxyPort}/${tenant}/live`, {
    headers: { authorization: `Bearer ${token}` },
  });
  socket.on('error', () => {});
  return {
    opened: once(socket, 'open').then(() => undefined),
    ended: once(socket, 'close').then(([code]) => code as number),
    isOpen: () => socket.readyState === WebSocket.OPEN,
    close: () => socket.terminate(),
  };
}

function openEvents(gate: RunningGate, token: string, tenant = 'acme', headers: Record<string, string> = {}): Stream {
  let isOpen = false;
  let say = (_how: string) => {};
  const ended = new Promise<string>((resolve) => {
    say = resolve;
  });
  const outgoing = request({
    host: '127.0.0.1',
    port: gate.proxyPort,
    path: `/${tenant}/events`,
    headers: { authorization: `Bearer ${token}`, ...headers },
    agent: false,
  });
  const opened = once(outgoing, 'response').then(([response]) => {
    isOpen = true;
    const answer = response as IncomingMessage;
    answer.on('error', () => {});
    answer.on('close', () => {
      isOpen = false;
      say(answer.complete ? 'complete' : 'cut');
    });
    answer.resume();
  });
  outgoing.on('error', () => say('cut'));
  outgoing.end();
  return { opened, ended, isOpen: () => isOpen, close: () => outgoing.destroy() };
}

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

/** Events on the fast lane, and on the node lane, to which an Upgrade leads that nobody takes up. */
const openEach = (gate: RunningGate, token: string, tenant = 'acme'): Stream[] => [
  openSocket(gate, token, tenant),
  openEvents(gate, token, tenant),
  openEvents(gate, token, tenant, { connection: 'upgrade', upgrade: 'h2c' }),
];

async function reload(gate: RunningGate): Promise<void> {
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
}

describe('what is still streaming', () => {
  test('ends when its token expires, where closeAtExpiry says so, and goes on where nothing does', async () => {
    const gate = await runGate(configText(', closeAtExpiry: true'));
    const exp = inSeconds(10);
    const ending = openEach(gate, tokenOf('acme', { exp }));
    const staying = openEach(gate, tokenOf('globex', { exp }), 'globex');
    const lasting = openEach(gate, tokenOf('acme'));
    await Promise.all([...ending, ...staying, ...lasting].map(({ opened }) => opened));
    expect(await Promise.all(ending.map(({ ended }) => ended))).toEqual([1008, 'cut', 'cut']);
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(exp);
    for (const stream of [...staying, ...lasting]) expect(stream.isOpen()).toBe(true);
    for (const stream of [...staying, ...lasting]) stream.close();
    await until('all three are counted', async () =>
      (await gate.ops('/metrics')).body.includes('jwtgate_request_end_total{end="permitEnded"} 3'),
    );
    expect((await gate.ops('/metrics')).body).toMatch(/jwtgate_request_lane_total\{lane="fast"\} [1-9]/);
  });

  test('ends when its token is revoked, its tenant removed, or its key', async () => {
    const folder = newFolder();
    const list = join(folder, 'revoked.txt');
    await writeFile(list, '# nobody\n');
    const revoked = 'revoked: {file: revoked.txt}';
    const gate = await runGate(configText('', revoked), { folder });
    const one = openEach(gate, tokenOf('acme', { jti: 'one' }));
    const two = openEach(gate, tokenOf('acme', { jti: 'two' }));
    const other = openEach(gate, tokenOf('globex'), 'globex');
    await Promise.all([...one, ...two, ...other].map(({ opened }) => opened));

    await writeFile(list, 'jti one\n');
    await reload(gate);
    expect(await Promise.all(one.map(({ ended }) => ended))).toEqual([1008, 'cut', 'cut']);
    for (const stream of [...two, ...other]) expect(stream.isOpen()).toBe(true);

    await gate.rewrite(configText('', revoked).replace(secretOf('acme'), secretOf('acme-now')));
    await reload(gate);
    expect(await Promise.all(two.map(({ ended }) => ended))).toEqual([1008, 'cut', 'cut']);
    for (const stream of other) expect(stream.isOpen()).toBe(true);

    await gate.rewrite(configText('', revoked).replace(/ {2}globex.*\n/, ''));
    await reload(gate);
    expect(await Promise.all(other.map(({ ended }) => ended))).toEqual([1008, 'cut', 'cut']);
  });
});

describe('a token in Sec-WebSocket-Protocol', () => {
  const locations = ', token: [{header: Authorization, scheme: Bearer}, {websocketProtocol: "bearer."}]';

  function offer(gate: RunningGate, protocols: string[], headers: Record<string, string> = {}): Promise<string> {
    const socket = new WebSocket(`ws://127.0.0.1:${gate.proxyPort}/acme/live`, protocols, { headers });
    return new Promise((resolve) => {
      socket.on('open', () => {
        resolve(`open ${socket.protocol}`);
        socket.terminate();
      });
      socket.on('unexpected-response', (_request, response) => {
        resolve(String(response.statusCode));
        response.resume();
      });
      socket.on('error', () => {});
    });
  }

  test('lets a WebSocket in, and does not travel on, while the other protocols do', async () => {
    const gate = await runGate(configText(locations));
    handshakes.length = 0;
    const token = tokenOf('acme');
    expect(await offer(gate, ['chat.v2', `bearer.${token}`, 'chat.v1'])).toBe('open chat.v2');
    expect(handshakes.at(-1)?.['sec-websocket-protocol']).toBe('chat.v2, chat.v1');
    expect(JSON.stringify(handshakes)).not.toContain(token);
  });

  test('is refused where it is bad, or not the only one', async () => {
    const gate = await runGate(configText(locations));
    const token = tokenOf('acme');
    expect(await offer(gate, ['chat.v2'])).toBe('401');
    expect(await offer(gate, ['chat.v2', `bearer.${token}x`])).toBe('401');
    expect(await offer(gate, ['chat.v2', `bearer.${tokenOf('globex')}`])).toBe('401');
    expect(await offer(gate, [`bearer.${token}`, `bearer.${tokenOf('acme', { jti: '2' })}`, 'chat.v2'])).toBe('400');
    expect(
      await offer(gate, ['chat.v2', `bearer.${token}`], { authorization: `Bearer ${tokenOf('acme', { jti: '3' })}` }),
    ).toBe('400');
  });

  test('counts only in a WebSocket handshake', async () => {
    const gate = await runGate(configText(locations));
    const reply = await gate.send('/acme/x', {
      headers: { 'Sec-WebSocket-Protocol': `chat.v2, bearer.${tokenOf('acme')}` },
    });
    expect(reply.status).toBe(401);
    expect(reply.body).toContain('tokenMissing');
  });
});
