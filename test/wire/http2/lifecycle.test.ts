import { expect, test } from 'vitest';
import { createBridge } from '../../../src/wire/call/bridge.ts';
import { createUpstreamSessions } from '../../../src/wire/call/upstream-sessions.ts';
import { createHttp2Lane } from '../../../src/wire/http2/lane.ts';
import { createUpstreamSlots } from '../../../src/wire/upstream-slots.ts';
import { newAuthority } from '../../support/certificates.ts';
import { answerOf, openHttp2 } from '../../support/http2-client.ts';
import { getRequest, headersFrame } from '../../support/http2-frames.ts';
import { localhostTls, openTlsClient } from '../../support/tls.ts';
import { until } from '../../support/until.ts';
import { answerEach } from '../../support/upstream.ts';
import { startHttp2 } from './http2-rig.ts';

test('a client that speaks both gets HTTP/2, one that asks for HTTP/1.1 that', async () => {
  const rig = await startHttp2();
  const modern = await openTlsClient({ port: rig.port, ALPNProtocols: ['h2', 'http/1.1'] });
  expect(modern.socket.alpnProtocol).toBe('h2');
  const old = await openTlsClient({ port: rig.port, ALPNProtocols: ['http/1.1'] });
  expect(old.socket.alpnProtocol).toBe('http/1.1');
  old.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await old.response()).status).toBe(200);
  modern.destroy();
  old.destroy();
});

test('without http2 it is not offered; a reload that takes it away is for new connections', async () => {
  const rig = await startHttp2();
  const before = await rig.client();
  rig.door.useTls(localhostTls({ http2: undefined }));
  const after = await openTlsClient({ port: rig.port, ALPNProtocols: ['h2', 'http/1.1'] });
  expect(after.socket.alpnProtocol).toBe('http/1.1');
  expect((await before.get('/')).status).toBe(200);
  await expect(openTlsClient({ port: rig.port, ALPNProtocols: ['h2'] })).rejects.toThrow();
  after.destroy();
});

test('how a connection ended is told: in order, or amid its requests', async () => {
  const rig = await startHttp2({
    reply: (text) => (text.includes('/held') ? undefined : answerEach()(text, {} as never)),
  });
  const ends = (count: number) => until('its end is told', () => rig.http2Ends.length === count);
  const polite = await rig.client();
  await polite.get('/');
  polite.session.close();
  await ends(1);
  const gone = await rig.client();
  await gone.get('/');
  gone.session.socket.destroy();
  await ends(2);
  const changesItsMind = await rig.client();
  const stream = changesItsMind.open({ ':path': '/held' }, true).on('error', () => undefined);
  await until('it is under way', () => rig.gate.heads.length === 3);
  stream.close(8);
  await rig.gate.gotOutcomes(3);
  await changesItsMind.get('/');
  changesItsMind.close();
  await ends(3);
  expect(rig.http2Ends).toEqual(['complete', 'complete', 'complete']);
  const leaves = await rig.frames();
  leaves.send(headersFrame(1, getRequest('/held')));
  await until('it is under way', () => rig.gate.heads.length === 5);
  leaves.destroy();
  await ends(4);
  expect(rig.http2Ends.at(-1)).toBe('aborted');
});

test('drain: GOAWAY, requests under way are finished, further ones refused, then the connection ends in order', async () => {
  const rig = await startHttp2({
    reply: (text) => (text.includes('/held') ? undefined : answerEach()(text, {} as never)),
  });
  const client = await rig.frames();
  const idle = await rig.frames();
  client.send(headersFrame(1, getRequest('/held')));
  await until('it is under way', () => rig.upstream.received.includes('/held'));
  const closed = rig.door.close({ drainMs: 600_000 });
  await idle.closed();
  expect(idle.frames.at(-1)).toMatchObject({ type: 'GOAWAY' });
  await client.got('GOAWAY');
  await until('the last one says which stream was the last', () =>
    client.frames.some(({ type, payload }) => type === 'GOAWAY' && payload.readUInt32BE() === 1),
  );
  client.send(headersFrame(3, getRequest('/late')));
  rig.upstream.connections[0]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  await client.got('DATA', 1);
  await client.closed();
  await closed;
  expect(rig.gate.heads.map(({ target }) => target)).toEqual(['/held']);
  expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ status: 200, end: 'complete' }]);
  expect(client.socket.errored).toBeNull();
});

test('drain with a delay: clients are told at once, and who connects all the same is served', async () => {
  const rig = await startHttp2({
    reply: (text) => (text.includes('/held') ? undefined : answerEach()(text, {} as never)),
  });
  const client = await rig.frames();
  const idle = await rig.frames();
  client.send(headersFrame(1, getRequest('/held')));
  await until('it is under way', () => rig.upstream.received.includes('/held'));
  const closed = rig.door.close({ delayMs: 600_000, drainMs: 600_000 });
  expect((await client.got('GOAWAY')).payload.readUInt32BE()).toBe(1);
  await idle.closed();
  const late = await rig.frames();
  late.send(headersFrame(1, getRequest('/late')));
  await late.got('HEADERS', 1);
  expect((await late.got('GOAWAY')).payload.readUInt32BE()).toBe(1);
  await late.closed();
  rig.upstream.connections[0]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  await client.got('DATA', 1);
  await client.closed();
  await rig.door.close({ drainMs: 0 });
  await closed;
  expect(rig.gate.outcomes.map(({ end }) => end)).toEqual(['complete', 'complete']);
});

test('drain: what is not done in time is cut', async () => {
  const rig = await startHttp2({ reply: () => undefined });
  const client = await rig.client();
  const answer = answerOf(client.open({ ':path': '/' }, true));
  answer.catch(() => undefined);
  await until('it is upstream', () => rig.upstream.received.includes('GET'));
  await rig.door.close({ drainMs: 100 });
  await expect(answer).rejects.toThrow();
  expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ end: 'clientGone' }]);
});

test('the client’s certificate is told to the gate, and a change of whom to believe lets it go', async () => {
  const clients = newAuthority('clients');
  const rig = await startHttp2();
  rig.door.useTls(localhostTls({ clientCa: clients.ca }));
  const alice = await openHttp2({ port: rig.port, ...clients.issue({ name: 'alice' }) });
  await alice.get('/');
  expect(rig.gate.heads[0]?.clientCertificate?.commonName).toBe('alice');
  rig.door.useTls(localhostTls({ clientCa: newAuthority('others').ca }));
  await until('it is gone', () => alice.session.destroyed);
});

test('an answer whose permit ends is reset', async () => {
  const rig = await startHttp2({ reply: () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n' });
  Object.assign(rig.gate, { permitEnd: () => ({ kind: 'denial', reason: 'tokenExpired', detail: '' }) });
  const client = await rig.client();
  await expect(answerOf(client.open({ ':path': '/' }, true))).rejects.toThrow('code 8');
  expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ end: 'permitEnded', status: 200 }]);
});

test('a lane of its own takes a plain socket as well', async () => {
  const { createServer } = await import('node:net');
  const { once } = await import('node:events');
  const { connect } = await import('node:http2');
  const rig = await startHttp2();
  const sessions = createUpstreamSessions();
  const lane = createHttp2Lane({
    gate: () => rig.gate,
    onConnectionEnd: () => undefined,
    maxStreams: () => 10,
    sessions,
    bridge: createBridge(sessions),
    slots: createUpstreamSlots(),
  });
  const server = createServer({ allowHalfOpen: true }, lane.accept).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = connect(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
  expect((await answerOf(session.request({ ':path': '/' }, { endStream: true }))).status).toBe(200);
  expect(rig.gate.heads[0]?.scheme).toBe('http');
  session.close();
  lane.close();
  server.close();
});
