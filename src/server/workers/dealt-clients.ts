import type { Socket } from 'node:net';
import { isThere, type OpenArrivals, socketOptions } from '../../wire/arrivals.ts';
import type { ListenAddress } from '../../wire/listen-address.ts';
import type { ListenerName } from '../serving.ts';
import type { NoteTaken } from './scoreboard.ts';

/** The worker's end of what the primary's dealers deal out. */
export interface DealtClients {
  /** Whom each listener's clients go to. */
  readonly arrivals: { readonly [listener in ListenerName]: OpenArrivals };
  /** `id`: counts them. Undefined: it was given up. */
  receive(listener: ListenerName, id: number, socket: Socket | undefined): void;
}

/** The number of the client taken over last, and how many are still connected. */
export interface DealtCounts {
  readonly taken: number;
  readonly open: number;
}

/** What the primary listens on; `verify` undefined: there is no such listener. */
export type DealtListeners = { readonly listen: ListenAddress; readonly verify: ListenAddress | undefined };

/** `onChange` hears of each that comes or goes. */
export function createDealtClients(
  listeners: DealtListeners,
  noteTaken: NoteTaken,
  onChange: (counts: DealtCounts) => void,
): DealtClients {
  const admits = new Map<ListenerName, (socket: Socket) => void>();
  let taken = 0;
  let open = 0;

  const arrivalsOf =
    (listener: ListenerName): OpenArrivals =>
    async (admit) => {
      admits.set(listener, admit);
      // It is the primary that stops dealing; what it had dealt before is served.
      return { address: listeners[listener] ?? listeners.listen, close: () => undefined };
    };

  return {
    arrivals: { listen: arrivalsOf('listen'), verify: arrivalsOf('verify') },
    receive(listener, id, socket) {
      taken = id;
      // Here and not later: sockets of the channel are read from the loop's next turn on, and nothing of this one was yet.
      if (!noteTaken(id)) socket?.on('error', () => undefined).destroy();
      else if (socket !== undefined && isThere(socket, listeners[listener])) {
        open++;
        socket.once('close', () => {
          open--;
          onChange({ taken, open });
        });
        socket.allowHalfOpen = socketOptions.allowHalfOpen;
        socket.setNoDelay(socketOptions.noDelay);
        socket.setKeepAlive(socketOptions.keepAlive);
        admits.get(listener)?.(socket);
      }
      onChange({ taken, open });
    },
  };
}
