import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';

/** On a thread of its own: answers each request, and bids its last connection farewell when it is asked for. */
const farewellServer = `
const { createServer } = require('node:net');
const { parentPort, workerData: flags } = require('node:worker_threads');
let last;
const server = createServer((socket) => {
  last = socket;
  socket.on('data', () => socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok'));
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
Atomics.waitAsync(flags, 0, 0).value.then(() => {
  last.write('HTTP/1.1 408 Request Timeout\\r\\nContent-Length: 0\\r\\n\\r\\n', () => {
    Atomics.store(flags, 1, 1);
    Atomics.notify(flags, 1);
  });
});
`;

export interface FarewellUpstream {
  readonly port: number;
  /** Blocks this thread until the farewell is on its way; false: that took too long. */
  bidFarewell(): boolean;
}

/** An upstream that speaks without being asked while this thread, which is the proxy's too, is not looking. */
export async function startFarewellUpstream(): Promise<FarewellUpstream> {
  const flags = new Int32Array(new SharedArrayBuffer(8));
  const server = new Worker(farewellServer, { eval: true, workerData: flags });
  onTestFinished(async () => void (await server.terminate()));
  const [port] = (await once(server, 'message')) as [number];
  return {
    port,
    bidFarewell() {
      Atomics.store(flags, 0, 1);
      Atomics.notify(flags, 0);
      return Atomics.wait(flags, 1, 0, 10_000) !== 'timed-out';
    },
  };
}
