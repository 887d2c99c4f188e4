// A process that opens a front door, serves every kind of request through it, and stops: M8 reads what it prints.
import { once } from 'node:events';
import { createFrontDoor } from '../../src/wire/front-door.ts';
import { openRawClient } from '../support/raw-client.ts';
import { answerEach, startRawUpstream } from '../support/upstream.ts';
import { fakeGate } from './fake-gate.ts';

const each = answerEach(
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
);
const upstream = await startRawUpstream((unanswered, connection) => {
  if (unanswered.includes('/dies')) {
    connection.socket.destroy();
    return undefined;
  }
  if (unanswered.includes('Upgrade')) return 'HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  return each(unanswered, connection);
});
const gate = fakeGate({ upstream: upstream.upstream });
const door = await createFrontDoor({ listen: { kind: 'tcp', host: '127.0.0.1', port: 0 }, gate: () => gate });
if (door.address.kind !== 'tcp') throw new Error('not a TCP listener');
const client = await openRawClient({ port: door.address.port });
for (let i = 0; i < 30; i += 1) {
  client.send('GET /plain HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.response();
  client.send('POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n');
  await client.response();
  client.send('GET /dies HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.response();
}
client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
await client.response();
client.destroy();
const bad = await openRawClient({ port: door.address.port });
bad.send('nonsense\r\n\r\n');
await bad.response();
bad.destroy();
await gate.gotOutcomes(92);
await door.close({ drainMs: 1_000 });
await upstream.close();
if (!bad.socket.closed) await once(bad.socket, 'close');
