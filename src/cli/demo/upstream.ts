import { createServer, type Server } from 'node:http';

/** One request as it arrived behind the gate. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  /** Lower-case names; a repeated header's values joined. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface DemoUpstream {
  readonly server: Server;
  /** What has arrived since the last call. */
  takeSeen(): readonly SeenRequest[];
}

/** Enough for the probes, and no more however long the demo runs. */
const seenLimit = 100;

/** The legacy service of the demo: it checks nothing, and answers every request with the head that it got. */
export function createDemoUpstream(): DemoUpstream {
  let seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const arrived = {
      method,
      target: url,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    };
    seen = [...seen.slice(1 - seenLimit), arrived];
    request.resume();
    response.setHeader('Content-Type', 'application/json');
    response.end(`${JSON.stringify({ 'the upstream got': `${method} ${url}`, headers: arrived.headers }, null, 2)}\n`);
  });
  return {
    server,
    takeSeen() {
      const taken = seen;
      seen = [];
      return taken;
    },
  };
}
