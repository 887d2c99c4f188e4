import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HeldUpstream {
  readonly port: number;
  /** Requests seen so far, oldest first. */
  readonly seen: readonly IncomingMessage[];
  /** The next request that waits for an answer: /…/held ones do, all others are answered at once. */
  nextHeld(): Promise<ServerResponse>;
  close(): Promise<void>;
}

/** An upstream that answers "ok", but lets the test answer what ends in /held. */
export async function startHeldUpstream(): Promise<HeldUpstream> {
  const seen: IncomingMessage[] = [];
  const held: ServerResponse[] = [];
  let wake: (() => void) | undefined;
  // It ends no idle connection itself: the gate might send just then what must not be sent twice.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    seen.push(request);
    request.resume();
    if (!request.url?.endsWith('/held')) {
      response.end('ok');
      return;
    }
    held.push(response);
    wake?.();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async nextHeld() {
      for (;;) {
        const next = held.shift();
        if (next !== undefined) return next;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
