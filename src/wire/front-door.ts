import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Gate } from '../gate/gate.ts';
import { bindUnixPath, type ListenAddress } from './listen-address.ts';
import { createNodeLane } from './node-lane.ts';

export interface FrontDoorOptions {
  readonly listen: ListenAddress;
  /** The policy of the moment; asked once for each request and each connection. */
  readonly gate: () => Gate;
}

export interface FrontDoor {
  /** What is really listened on: the port that the system chose where 0 was asked for. */
  readonly address: ListenAddress;
  /** Requests under way, WebSockets included. */
  readonly activeExchanges: number;
  /** Client connections, idle ones included. */
  readonly openConnections: number;
  /**
   * Stops accepting, ends idle connections, answers what is under way with `Connection: close`. After `drainMs`
   * WebSockets are told to go away (1001), and half a second later whatever is left is cut. Resolves when the last
   * connection is gone. A second call stops now.
   */
  close(options: { readonly drainMs: number }): Promise<void>;
  /** After a reload: lets go of connections to upstreams whose `Upstream.key` is not among these. */
  retainUpstreams(keys: ReadonlySet<string>): void;
}

/** What a WebSocket client gets to answer our Close frame. */
const goodbyeMs = 500;

/**
 * Listens for clients and hands each socket to the node lane. Rejects with Node's error (EADDRINUSE, EACCES, ENOENT)
 * where it can't listen.
 */
export async function createFrontDoor({ listen, gate }: FrontDoorOptions): Promise<FrontDoor> {
  const lane = createNodeLane({ gate });
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    lane.accept(socket);
  });
  await listenOn(server, listen);

  let closing: Promise<void> | undefined;
  const stopNow = () => {
    lane.close();
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: boundAddress(server, listen),
    get activeExchanges() {
      return lane.activeExchanges;
    },
    get openConnections() {
      return sockets.size;
    },
    close({ drainMs }) {
      if (closing !== undefined) {
        stopNow();
        return closing;
      }
      let deadline = setTimeout(() => {
        lane.goAway();
        deadline = setTimeout(stopNow, goodbyeMs);
      }, drainMs);
      closing = once(server, 'close').then(() => {
        clearTimeout(deadline);
        lane.close();
      });
      server.close();
      lane.drain();
      return closing;
    },
    retainUpstreams: lane.retainUpstreams,
  };
}

async function listenOn(server: Server, listen: ListenAddress): Promise<void> {
  if (listen.kind === 'unix') await bindUnixPath(server, listen);
  else {
    // An empty host is every interface.
    server.listen({ host: listen.host === '' ? undefined : listen.host, port: listen.port });
    await once(server, 'listening');
  }
  // From here on only a failing accept reports here (EMFILE): connections wait, the process lives.
  server.on('error', () => undefined);
}

function boundAddress(server: Server, listen: ListenAddress): ListenAddress {
  if (listen.kind === 'unix') return listen;
  const { address, port } = server.address() as AddressInfo;
  return { kind: 'tcp', host: address, port };
}
