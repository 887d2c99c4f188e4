import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An empty host is every interface. */
export type OperatorAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** Knows what to do about the socket file of a process that died. */
export type BindUnix = (server: Server, address: OperatorAddress & { kind: 'unix' }) => Promise<void>;

/** A listener for operators, apart from the proxy's sockets. */
export interface OperatorListener {
  /** "host:port" as bound, or "unix:/path". */
  readonly address: string;
  close(): Promise<void>;
}

/** Opens it; whatever goes wrong on it later goes no further. Rejects with Node's error where it can't listen. */
export async function listenForOperators(
  server: Server,
  address: OperatorAddress,
  bindUnix: BindUnix,
): Promise<OperatorListener> {
  server.on('clientError', (_error, socket) => socket.destroy());
  if (address.kind === 'unix') await bindUnix(server, address);
  else {
    server.listen({ host: address.host || undefined, port: address.port });
    await once(server, 'listening');
  }
  // Later ones, such as too many open files on accept, must not become uncaught.
  server.on('error', () => {});
  return {
    address: boundAddress(server.address()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function boundAddress(address: AddressInfo | string | null): string {
  if (address === null) return '';
  if (typeof address === 'string') return `unix:${address}`;
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}
