import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { bindUnixPath, type ListenAddress } from './listen-address.ts';

/** Where clients come from: a listener of our own, or another process that accepts for us. */
export interface Arrivals {
  /** What is really listened on: the port that the system chose where 0 was asked for. */
  readonly address: ListenAddress;
  /** No more of them. */
  close(): void;
}

/** Begins to bring clients; each is admitted with nothing read from it. */
export type OpenArrivals = (admit: (socket: Socket) => void) => Promise<Arrivals>;

/** How sockets are made that this proxy's lanes take. */
export const socketOptions = { allowHalfOpen: true, noDelay: true, keepAlive: true };

/** A listener of our own. Rejects with Node's error (EADDRINUSE, EACCES, ENOENT) where it can't listen. */
export function listenAt(listen: ListenAddress): OpenArrivals {
  return async (admit) => {
    const server = createServer(socketOptions, (socket) => {
      if (isThere(socket, listen)) admit(socket);
    });
    const address = await startListening(server, listen);
    return { address, close: () => server.close() };
  };
}

/** Listens, and says where. Rejects with Node's error. */
export async function startListening(server: Server, listen: ListenAddress): Promise<ListenAddress> {
  if (listen.kind === 'unix') await bindUnixPath(server, listen);
  else {
    // An empty host is every interface.
    server.listen({ host: listen.host === '' ? undefined : listen.host, port: listen.port });
    await once(server, 'listening');
  }
  // From here on only a failing accept reports here (EMFILE): connections wait, the process lives.
  server.on('error', () => undefined);
  if (listen.kind === 'unix') return listen;
  const { address, port } = server.address() as AddressInfo;
  return { kind: 'tcp', host: address, port };
}

/**
 * Is anybody at the other end? A peer without an address is one on a unix socket, which may be trusted: on TCP it is one
 * that has left, whose bytes could still be read, and it is closed. Asked at once, as Node remembers an address once it was told.
 */
export function isThere(socket: Socket, address: ListenAddress | undefined): boolean {
  if (address?.kind === 'unix' || socket.remoteAddress !== undefined) return true;
  socket.on('error', () => undefined).destroy();
  return false;
}
