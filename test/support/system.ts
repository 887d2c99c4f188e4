import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { StartOptions } from './jwtgate-process.ts';
import { type RunningGate, runGate } from './running-gate.ts';
import { newFolder } from './scratch-folder.ts';

/** What the legacy service behind the gate saw of one request. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface LegacyService {
  readonly port: number;
  readonly seen: SeenRequest[];
  close(): Promise<void>;
}

/** An HTTP server that remembers what it is asked and answers by `status` (200 unless told otherwise). */
export async function startLegacyService(status: (request: SeenRequest) => number = () => 200): Promise<LegacyService> {
  const seen: SeenRequest[] = [];
  // It ends no idle connection itself: the gate might send just then what must not be sent twice.
  const server = createServer({ keepAliveTimeout: 0 }, async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = incoming;
    const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
    seen.push(one);
    response.writeHead(status(one), { 'Content-Type': 'application/json' }).end('{"ok":true}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/**
 * Runs `examples/NAME.yaml` as it stands, in a folder of its own: only its addresses are replaced, and whatever
 * `change` replaces beside them.
 */
export async function runExample(
  name: string,
  upstreamPort: number,
  change: (text: string) => string = (text) => text,
  options: Pick<StartOptions, 'env'> = {},
): Promise<RunningGate & { readonly folder: string }> {
  const folder = newFolder();
  const examples = join(import.meta.dirname, '../../examples');
  cpSync(examples, folder, { recursive: true });
  const text = change(readFileSync(join(examples, `${name}.yaml`), 'utf8'))
    .replace(/^listen: .*$/m, 'listen: 127.0.0.1:0\nops: 127.0.0.1:0')
    .replaceAll('http://127.0.0.1:3000', `http://127.0.0.1:${upstreamPort}`);
  return { ...(await runGate(text, { folder, ...options })), folder };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** Instead of `json`: bytes as they are. */
  readonly body?: string;
}

/** One request on a connection of its own. */
export function askGate(gate: Pick<RunningGate, 'proxyPort'>, path: string, question: Question = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, json } = question;
  const body = question.body ?? (json === undefined ? undefined : JSON.stringify(json));
  const type = json === undefined ? {} : { 'content-type': 'application/json' };
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: gate.proxyPort,
        path,
        method,
        headers: { ...type, ...length, ...headers },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Adds a file to the example's folder, and reloads. */
export async function reloadWith(
  gate: RunningGate & { readonly folder: string },
  file: string,
  text: string,
): Promise<void> {
  writeFileSync(join(gate.folder, file), text);
  gate.process.signal('SIGHUP');
  // Thousands of tenants take a busy machine their time.
  await gate.process.logged('config reloaded');
}
