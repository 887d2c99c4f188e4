import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';

export const loopback = '127.0.0.1';

/** Listens on loopback, on the usual port where that is free and on any other where it is taken; the port it got. */
export async function listenNear(server: Server, usualPort: number): Promise<number> {
  for (const port of [usualPort, 0]) {
    try {
      server.listen(port, loopback);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    } catch (error) {
      if (port === 0) throw error;
    }
  }
  throw new Error('unreachable');
}

/** A port that is free right now, for a listener that opens later; the usual one if it can be. */
export async function findFreePort(usualPort: number): Promise<number> {
  const server = createServer();
  const port = await listenNear(server, usualPort);
  server.close();
  await once(server, 'close');
  return port;
}
