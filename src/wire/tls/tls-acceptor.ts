import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { judgeClient } from './client-certificate.ts';
import { type HandshakeEnd, handshakeEndOf } from './handshake-end.ts';
import { type ServerTls, serverOptions } from './server-tls.ts';
import { newTicketSecret, type TicketSecret, ticketKeys } from './ticket-keys.ts';

export interface TlsAcceptorOptions {
  readonly tls: ServerTls;
  /** Default: one of its own. */
  readonly ticketSecret?: TicketSecret | undefined;
  /** From accepting a connection to the end of its handshake. */
  readonly handshakeMs: () => number;
  /** The handshake is complete and the client judged by `tls`; ALPN's choice is in `socket.alpnProtocol`. */
  readonly onSecure: (socket: TLSSocket, tls: ServerTls) => void;
  /** What begins as no TLS does: `first` was read from the connection, which is the callee's now. */
  readonly onPlain: (socket: Socket, first: Buffer) => void;
  /** Every handshake, once. `detail`: an error's code. */
  readonly onHandshake: (end: HandshakeEnd, detail: string) => void;
  /** Handshakes under way at a time. */
  readonly mostHandshakes?: number;
}

/** Makes TLS connections of accepted ones. */
export interface TlsAcceptor {
  accept(socket: Socket): void;
  /** Another certificate, or other clients to believe: for connections from now on. */
  use(tls: ServerTls): void;
  /** Other keys for session tickets: what was sent by the former ones is resumed no more. */
  useTicketSecret(secret: TicketSecret): void;
  /** Gives up the handshakes that are under way. */
  close(): void;
}

/**
 * Whoever opens more than this, and lets them wait, loses the oldest, which are his: an honest client's handshake takes
 * no longer than a few round trips.
 */
const defaultMostHandshakes = 4_096;

/** First byte of a TLS record that opens a connection (RFC 8446 section 5.1): type handshake. */
const handshakeRecord = 0x16;

interface Handshake {
  readonly socket: Socket;
  readonly timer: NodeJS.Timeout;
  end(end: HandshakeEnd, detail: string): void;
}

export function createTlsAcceptor(options: TlsAcceptorOptions): TlsAcceptor {
  const { handshakeMs, onSecure, onPlain, onHandshake, mostHandshakes = defaultMostHandshakes } = options;
  let current = options.tls;
  let ticketSecret = options.ticketSecret ?? newTicketSecret();
  /** In order of arrival. */
  const underWay = new Map<Socket, Handshake>();

  /** Never listens: the front door hands it connections. One that is replaced serves those it was handed. */
  const createContext = (tls: ServerTls): Server => {
    const server = createServer(serverOptions(tls));
    server.setTicketKeys(ticketKeys(ticketSecret, tls));
    server.on('secureConnection', (socket: TLSSocket) => {
      const handshake = underWay.get(wrappedBy(socket));
      const verdict = judgeClient(socket, tls, Date.now());
      const gone = hasLeft(socket);
      // One that was given up meanwhile, or whose client is not to be believed.
      if (handshake === undefined || gone || verdict.kind === 'missing' || verdict.kind === 'refused') {
        socket.on('error', ignoreError);
        if (gone) handshake?.end('aborted', 'closed');
        if (verdict.kind === 'missing') handshake?.end('clientCertificateMissing', verdict.detail);
        if (verdict.kind === 'refused') handshake?.end('clientCertificateRefused', verdict.detail);
        socket.destroy();
        return;
      }
      handshake.end('complete', '');
      socket.allowHalfOpen = true;
      onSecure(socket, tls);
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      const refusal = socket.authorizationError as unknown as string | undefined;
      const handshake = underWay.get(wrappedBy(socket));
      // Node hangs up by itself where it was told to require a valid certificate.
      if (error.code === 'ECONNRESET' && refusal) handshake?.end('clientCertificateRefused', refusal);
      else handshake?.end(handshakeEndOf(error.code), error.code ?? error.name);
    });
    return server;
  };

  let context = createContext(current);

  const begin = (socket: Socket): Handshake => {
    const cut = (end: HandshakeEnd, detail: string) => {
      handshake.end(end, detail);
      socket.destroy();
    };
    const ms = handshakeMs();
    const timer = setTimeout(() => cut('timeout', `not within ${ms} ms`), ms);
    const handshake: Handshake = {
      socket,
      timer,
      end(end, detail) {
        if (!underWay.delete(socket)) return;
        clearTimeout(timer);
        socket.off('close', onClose);
        onHandshake(end, detail);
      },
    };
    // The connection closes before the TLS socket on it says why.
    const onClose = () => setImmediate(() => handshake.end('aborted', 'closed'));
    socket.on('close', onClose);
    underWay.set(socket, handshake);
    return handshake;
  };

  const crowdOut = () => {
    const [oldest] = underWay.values();
    oldest?.end('crowdedOut', `more than ${mostHandshakes} at a time`);
    oldest?.socket.destroy();
  };

  return {
    accept(socket) {
      socket.on('error', ignoreError);
      if (underWay.size >= mostHandshakes) crowdOut();
      const handshake = begin(socket);
      socket.once('readable', () => {
        const first: Buffer | null = socket.read();
        if (first === null) {
          socket.destroy();
        } else if (first[0] === handshakeRecord) {
          socket.unshift(first);
          // Who ends his side before the handshake is done has left; later it is the lane's business.
          socket.allowHalfOpen = false;
          context.emit('connection', socket);
        } else {
          handshake.end('notTls', 'no TLS record');
          onPlain(socket, first);
        }
      });
    },
    use(tls) {
      current = tls;
      context = createContext(tls);
    },
    useTicketSecret(secret) {
      ticketSecret = secret;
      context.setTicketKeys(ticketKeys(secret, current));
    },
    close() {
      for (const { socket } of underWay.values()) socket.destroy();
    },
  };
}

/** The connection under a TLS socket: where the client has to see a reset, its own. Node has no public name for it; the tests would notice if it had another. */
export function wrappedBy(socket: TLSSocket): Socket {
  return (socket as unknown as { readonly _parent: Socket })._parent;
}

/** Came by TCP, and is nowhere any more: without its address it would pass for a client on a unix socket. */
function hasLeft(socket: TLSSocket): boolean {
  return socket.remoteAddress === undefined && wrappedBy(socket).remoteAddress !== undefined;
}

/** What an error means is learnt from 'close', which always follows. */
function ignoreError(): void {}
