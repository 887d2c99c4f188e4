import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mangledRequests } from '../../support/mangled-requests.ts';
import { readAsFastLane, type SeenRequest } from './lane-reading.ts';

/** A bare Node server, whose parser is llhttp in its strict mode. */
const server = createServer(async (request, response) => {
  const { method = '', url: target = '', rawHeaders: headers } = request;
  let body = '';
  // Not before its body is there: half a request is none.
  request.setEncoding('latin1').on('data', (text) => {
    body += text;
  });
  await once(request, 'end').catch(() => undefined);
  if (request.complete) seenBy(request).push({ method, target, headers, body });
  response.end();
});
server.on('checkContinue', (request, response) => server.emit('request', request, response));
// Not at once: requests before the one that is refused are still to be seen.
server.on('clientError', (_error, socket) => setImmediate(() => socket.destroy()));
const seenByPort = new Map<number, SeenRequest[]>();

function seenBy(request: IncomingMessage): SeenRequest[] {
  const port = request.socket.remotePort as number;
  const seen = seenByPort.get(port) ?? [];
  seenByPort.set(port, seen);
  return seen;
}

beforeAll(async () => {
  // A client that has ended its side is answered all the same; the types don't know of it.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

async function seenByNode(text: string): Promise<SeenRequest[]> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const port = socket.localPort as number;
  seenByPort.delete(port);
  socket.resume();
  socket.end(Buffer.from(text, 'latin1'));
  await once(socket, 'close');
  return seenByPort.get(port) ?? [];
}

test('whatever the lane takes for a request, llhttp takes for the same: line, fields, body and end', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(mangledRequests, async (text) => {
      const ours = readAsFastLane(text).requests;
      taken += ours.length;
      const theirs = await seenByNode(text);
      expect(theirs.slice(0, ours.length)).toEqual(ours);
    }),
    { numRuns: 600 },
  );
  // The comparison would be worth nothing if the lane took next to nothing.
  expect(taken).toBeGreaterThan(200);
});
