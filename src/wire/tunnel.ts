import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Exchange } from './exchange.ts';
import { closeLingering } from './linger.ts';
import { switchingFields } from './response-fields.ts';
import { createFrameTracker, type FrameTracker } from './websocket-frames.ts';

/** The client's half of a WebSocket handshake, while the upstream has not answered. */
export interface Handshake {
  readonly socket: Socket;
  /** Stops listening, and hands over what the client has sent since its head. */
  take(): Buffer;
}

/** What a client may send ahead of the 101; it has no business sending anything. */
const mostEarlyBytes = 64 * 1024;

/** Listens to a client between its handshake and the answer, so that one that leaves is noticed. */
export function awaitSwitch(socket: Socket, head: Buffer): Handshake {
  const early: Buffer[] = [head];
  let earlyBytes = head.byteLength;
  const onData = (chunk: Buffer) => {
    early.push(chunk);
    earlyBytes += chunk.byteLength;
    if (earlyBytes > mostEarlyBytes) socket.pause();
  };
  const onEnd = () => socket.destroy();
  socket.on('data', onData);
  socket.on('end', onEnd);
  return {
    socket,
    take() {
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.pause();
      return Buffer.concat(early);
    },
  };
}

export interface SwitchInput {
  readonly exchange: Exchange;
  readonly handshake: Handshake;
  readonly answer: IncomingMessage;
  readonly upstreamSocket: Socket;
  readonly upstreamHead: Buffer;
  /** A tunnel with no byte in either direction for this long is ended. */
  readonly idleMs: number;
}

/** Relays the upstream's 101 and joins the two sockets, both of which have their error handlers. */
export function switchProtocols(input: SwitchInput): void {
  const { exchange, handshake, answer, upstreamSocket } = input;
  const { socket } = handshake;
  const toClient = createFrameTracker();
  const end = exchange.takeOver({
    cut: () => {
      upstreamSocket.destroy();
      socket.destroy();
    },
    goAway: (frame) => {
      upstreamSocket.unpipe(socket);
      if (toClient.betweenFrames) socket.end(frame);
      else socket.end();
      upstreamSocket.end();
    },
  });
  exchange.response.detachSocket(socket);
  exchange.markAnswered(101);
  socket.write(switchingHead(answer), 'latin1');
  joinSockets(input, toClient, end);
}

function switchingHead({ httpVersion, rawHeaders }: IncomingMessage): string {
  const list = switchingFields({ statusCode: 101, httpVersion, rawHeaders });
  let head = 'HTTP/1.1 101 Switching Protocols\r\n';
  for (let i = 0; i < list.length; i += 2) head += `${list[i]}: ${list[i + 1]}\r\n`;
  return `${head}\r\n`;
}

function joinSockets(
  { exchange, handshake, upstreamSocket, upstreamHead, idleMs }: SwitchInput,
  toClient: FrameTracker,
  end: (how: 'complete' | 'clientGone' | 'upstreamGone') => void,
): void {
  const { socket } = handshake;
  const { watch } = exchange;
  watch.start(idleMs, () => exchange.cut(socket.writableNeedDrain ? 'clientGone' : 'upstreamGone'));

  const join = (from: Socket, to: Socket, head: Buffer, onBytes: (chunk: Buffer) => void) => {
    from.setTimeout(0);
    from.setNoDelay(true);
    if (head.byteLength > 0) {
      onBytes(head);
      to.write(head);
    }
    from.on('data', onBytes);
    from.pipe(to);
  };
  join(socket, upstreamSocket, handshake.take(), (chunk) => {
    exchange.requestBytes += chunk.byteLength;
    watch.refresh();
  });
  join(upstreamSocket, socket, upstreamHead, (chunk) => {
    exchange.responseBytes += chunk.byteLength;
    toClient.push(chunk);
    watch.refresh();
  });

  let how: 'complete' | 'clientGone' | 'upstreamGone' = 'complete';
  let closed = 0;
  const onClose = (other: Socket, gone: 'clientGone' | 'upstreamGone') => (hadError: boolean) => {
    if (hadError && how === 'complete') how = gone;
    if (hadError) other.destroy();
    else closeLingering(other);
    closed += 1;
    if (closed === 2) end(how);
  };
  socket.once('close', onClose(upstreamSocket, 'clientGone'));
  upstreamSocket.once('close', onClose(socket, 'upstreamGone'));
}
