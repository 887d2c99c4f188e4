import type { Socket } from 'node:net';
import type { ListenerName } from '../serving.ts';
import type { ChannelToWorker } from './messages.ts';
import type { Scoreboard } from './scoreboard.ts';

/** Hands clients to one worker, and keeps each at hand until the worker has taken it. */
export interface Handover {
  /** Clients so far: the number of the last. */
  readonly handed: number;
  /** From here on the socket is closed here, or comes back: nobody has read a byte of it then. */
  hand(listener: ListenerName, socket: Socket, onReturned: () => void): void;
  /** The worker has taken all up to this one, those excepted that never came to it. */
  onTaken(last: number): void;
  /** The worker has ended; not before: until then it may take one more. */
  end(): void;
}

interface OnTheWay {
  readonly socket: Socket;
  readonly onReturned: () => void;
}

/** `scoreboard` undefined: nobody knows whom a worker that ended had taken, and so nobody comes back. */
export function createHandover(
  channel: Pick<ChannelToWorker, 'tell'>,
  scoreboard: Pick<Scoreboard, 'last' | 'close'> | undefined,
): Handover {
  /** By number, in the order in which the worker gets them. */
  const onTheWay = new Map<number, OnTheWay>();
  let handed = 0;

  function onTaken(last: number): void {
    for (const [id, { socket }] of onTheWay) {
      if (id > last) return;
      onTheWay.delete(id);
      // A second hold on the connection, which would not end before both are given up.
      socket.destroy();
    }
  }

  return {
    get handed() {
      return handed;
    },
    hand(listener, socket, onReturned) {
      const id = ++handed;
      onTheWay.set(id, { socket, onReturned });
      channel.tell('client', { listener, id }, socket);
    },
    onTaken,
    end() {
      // Of whom it has taken it may have read a part. Whoever else got that connection would take the rest of a request
      // for the next one (request smuggling, RFC 9112 section 11.2).
      onTaken(scoreboard?.last() ?? handed);
      scoreboard?.close();
      const left = [...onTheWay.values()];
      onTheWay.clear();
      for (const { onReturned } of left) onReturned();
    },
  };
}
