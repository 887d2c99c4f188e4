import { Agent, request } from 'node:http';

export interface LoadAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface SteadyLoad {
  /** Requests that were answered as they should be. */
  readonly succeeded: number;
  /** What went wrong with the others, in words. */
  readonly failures: readonly string[];
  /** Sends no more, and resolves when the last answer is there. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  readonly port: number;
  /** Each sends one request after the other, on a connection that it keeps while the other side does. */
  readonly clients: number;
  /** Path and headers of the next request. */
  next(): { readonly path: string; readonly headers: Readonly<Record<string, string>> };
  /** What is wrong with this answer; undefined: nothing. */
  judge(answer: LoadAnswer): string | undefined;
}

/** Clients that ask without a pause until they are told to stop, and try nothing twice. */
export function startLoad({ port, clients, next, judge }: LoadOptions): SteadyLoad {
  const failures: string[] = [];
  let succeeded = 0;
  let stopped = false;

  const runClient = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!stopped) {
      const { path, headers } = next();
      const problem = await ask({ port, path, headers, agent }).then(judge, (error: Error) => error.message);
      if (problem === undefined) succeeded += 1;
      else failures.push(problem);
    }
    agent.destroy();
  };
  const running = Promise.all(Array.from({ length: clients }, runClient));
  return {
    get succeeded() {
      return succeeded;
    },
    failures,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

interface Question {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: Agent;
}

function ask({ port, path, headers, agent }: Question): Promise<LoadAnswer> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers, agent }, (response) => {
      response.resume();
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
    })
      .on('error', reject)
      .end();
  });
}
