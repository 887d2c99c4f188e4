import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Gate } from '../../gate/gate.ts';
import { clientCertificate } from './client-certificate.ts';
import type { HandshakeEnd } from './handshake-end.ts';
import { refusePlainHttp } from './plain-http.ts';
import type { ServerTls } from './server-tls.ts';
import type { TicketSecret } from './ticket-keys.ts';
import { createTlsAcceptor } from './tls-acceptor.ts';

export interface TlsDoorOptions {
  readonly tls: ServerTls;
  readonly ticketSecret?: TicketSecret | undefined;
  readonly gate: () => Gate;
  readonly onHandshake: (end: HandshakeEnd, detail: string) => void;
  /** Serves a client whose handshake is complete. */
  readonly accept: (socket: TLSSocket) => void;
  /** Those that serve them. */
  readonly lanes: readonly { release(which: (socket: Socket) => boolean): void }[];
}

/** The way in over TLS. A client's certificate is believed until it expires, and while the rules it was judged by hold. */
export interface TlsDoor {
  accept(socket: Socket): void;
  use(tls: ServerTls): void;
  useTicketSecret(secret: TicketSecret): void;
  close(): void;
}

/** setTimeout counts in 31 bits. */
const mostTimerMs = 2 ** 31 - 1;

export function openTlsDoor({ tls, ticketSecret, gate, onHandshake, accept, lanes }: TlsDoorOptions): TlsDoor {
  let current = tls;
  /** By whose rules each client was let in. */
  const letInBy = new Map<Socket, string>();

  const release = (which: (socket: Socket) => boolean) => {
    for (const lane of lanes) lane.release(which);
  };

  const expire = (socket: TLSSocket, notAfterMs: number) => {
    const waitMs = Math.min(notAfterMs - Date.now(), mostTimerMs);
    const timer = setTimeout(() => release((other) => other === socket), waitMs).unref();
    socket.once('close', () => clearTimeout(timer));
  };

  const acceptor = createTlsAcceptor({
    tls,
    ticketSecret,
    handshakeMs: () => gate().timeouts.headerMs,
    onSecure(socket, { trustId }) {
      // Begun by rules that were replaced before it was done.
      if (trustId !== current.trustId) {
        socket.on('error', () => undefined).destroy();
        return;
      }
      letInBy.set(socket, trustId);
      socket.once('close', () => letInBy.delete(socket));
      const certificate = clientCertificate(socket);
      if (certificate !== undefined) expire(socket, certificate.notAfterMs);
      accept(socket);
    },
    onPlain: (socket, first) => refusePlainHttp(socket, first, gate()),
    onHandshake,
  });

  return {
    accept: acceptor.accept,
    close: acceptor.close,
    useTicketSecret: acceptor.useTicketSecret,
    use(next) {
      if (next.id !== current.id) acceptor.use(next);
      const asBefore = next.trustId === current.trustId;
      current = next;
      if (!asBefore) release((socket) => letInBy.has(socket) && letInBy.get(socket) !== next.trustId);
    },
  };
}
