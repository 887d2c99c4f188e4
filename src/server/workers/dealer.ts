import { createServer, type Socket } from 'node:net';
import { startListening } from '../../wire/arrivals.ts';
import type { ListenAddress } from '../../wire/listen-address.ts';
import type { ListenerName } from '../serving.ts';
import type { Worker } from './worker-process.ts';

/** Accepts clients and deals them out; nothing is ever read from one here. */
export interface Dealer {
  /** As bound. */
  readonly address: ListenAddress;
  /** A worker has come: who waited for one is dealt out. */
  deal(): void;
  /** Accepts no more. */
  close(): void;
}

/** Clients that wait while no worker serves; more than these are turned away. */
const mostWaiting = 1_024;

/** Clients on their way to one worker: while it has so many it is passed over, as far as there are others. */
const mostOnTheWay = 32;

/** Whoever brought so many workers to their end, unheard, is not handed to the next. */
const mostHandings = 3;

interface Client {
  readonly socket: Socket;
  handings: number;
}

/**
 * Listens in the place of all workers. Each client goes to the worker that has the fewest, so that a few long
 * connections, which are what load balancers keep, spread as evenly as many short ones. Rejects with Node's error.
 */
export async function createDealer(
  listener: ListenerName,
  listen: ListenAddress,
  serving: () => readonly Worker[],
): Promise<Dealer> {
  const waiting: Client[] = [];
  let turn = 0;
  let closed = false;

  function give(client: Client): boolean {
    const worker = choose(serving(), turn++);
    if (worker === undefined) return false;
    client.handings++;
    worker.hand(listener, client.socket, () => deal(client));
    return true;
  }

  function deal(client: Client): void {
    const isWelcome = !closed && client.handings < mostHandings;
    if (isWelcome && give(client)) return;
    if (isWelcome && waiting.length < mostWaiting) waiting.push(client);
    else client.socket.destroy();
  }

  function take(socket: Socket): void {
    // As long as a worker has not taken it nobody else hears of its errors.
    socket.on('error', () => undefined);
    deal({ socket, handings: 0 });
  }

  // What else a socket is to have its worker sets.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, take);
  const address = await startListening(server, listen);
  return {
    address,
    deal() {
      for (const client of waiting.splice(0)) deal(client);
    },
    close() {
      closed = true;
      server.close();
      for (const { socket } of waiting.splice(0)) socket.destroy();
    },
  };
}

/** The one with the fewest clients; among equals each in its turn. */
function choose(workers: readonly Worker[], turn: number): Worker | undefined {
  const prompt = workers.filter(({ onTheWay }) => onTheWay < mostOnTheWay);
  const candidates = prompt.length > 0 ? prompt : workers;
  let best: Worker | undefined;
  for (let i = 0; i < candidates.length; i++) {
    const worker = candidates[(turn + i) % candidates.length] as Worker;
    if (best === undefined || clientsOf(worker) < clientsOf(best)) best = worker;
  }
  return best;
}

function clientsOf({ open, onTheWay }: Worker): number {
  return open + onTheWay;
}
