import { createServer, type Socket } from 'node:net';
import { socketOptions, startListening } from '../../wire/arrivals.ts';
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

/**
 * Listens in the place of all workers. Each client goes to the worker that has the fewest, so that a few long
 * connections, which are what load balancers keep, spread as evenly as many short ones. Rejects with Node's error.
 */
export async function createDealer(
  listener: ListenerName,
  listen: ListenAddress,
  serving: () => readonly Worker[],
): Promise<Dealer> {
  const waiting: Socket[] = [];
  let turn = 0;

  function give(socket: Socket): boolean {
    const worker = choose(serving(), turn++);
    if (worker === undefined) return false;
    worker.handed++;
    worker.channel.tell('client', { listener }, socket);
    return true;
  }

  function take(socket: Socket): void {
    // Until it is handed over nobody else hears of its errors.
    socket.on('error', () => undefined);
    if (give(socket)) return;
    if (waiting.length < mostWaiting) waiting.push(socket);
    else socket.destroy();
  }

  const server = createServer({ ...socketOptions, pauseOnConnect: true }, take);
  const address = await startListening(server, listen);
  return {
    address,
    deal() {
      for (const socket of waiting.splice(0)) take(socket);
    },
    close() {
      server.close();
      for (const socket of waiting.splice(0)) socket.destroy();
    },
  };
}

/** The one with the fewest clients; among equals each in its turn. */
function choose(workers: readonly Worker[], turn: number): Worker | undefined {
  const prompt = workers.filter((worker) => onTheWay(worker) < mostOnTheWay);
  const candidates = prompt.length > 0 ? prompt : workers;
  let best: Worker | undefined;
  for (let i = 0; i < candidates.length; i++) {
    const worker = candidates[(turn + i) % candidates.length] as Worker;
    if (best === undefined || clientsOf(worker) < clientsOf(best)) best = worker;
  }
  return best;
}

function onTheWay({ handed, taken }: Worker): number {
  return handed - taken;
}

function clientsOf(worker: Worker): number {
  return worker.open + onTheWay(worker);
}
