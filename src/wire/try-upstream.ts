import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Upstream } from '../gate/policy.ts';
import { tlsProblem } from '../keys/tls-problem.ts';
import { createBridge } from './call/bridge.ts';
import { createUpstreamSessions } from './call/upstream-sessions.ts';
import { tlsOptions } from './upstream-pool.ts';

/** What an upstream makes of a call of our own, with the same addresses and TLS settings as traffic has. */
export type Trial =
  | { readonly kind: 'connected' }
  | { readonly kind: 'answered'; readonly status: number }
  /** In a word, such as ECONNREFUSED. */
  | { readonly kind: 'unreachable'; readonly detail: string };

/** Connects, TLS handshake included, and hangs up. Never rejects. */
export function tryConnection(upstream: Upstream, timeoutMs: number): Promise<Trial> {
  return new Promise((resolve) => {
    const { socket, readyEvent, close } = openSocket(upstream);
    const end = (trial: Trial) => {
      clearTimeout(timeout);
      resolve(trial);
      socket.destroy();
      close();
    };
    const timeout = setTimeout(() => end(unreachable(`no connection within ${timeoutMs} ms`)), timeoutMs);
    socket.on(readyEvent, () => end({ kind: 'connected' }));
    socket.on('error', (error) => end(unreachable(codeOf(error))));
    socket.on('close', () => end(unreachable('closed before it was ready')));
  });
}

interface OpenSocket {
  readonly socket: net.Socket;
  readonly readyEvent: 'connect' | 'secureConnect';
  close(): void;
}

function openSocket(upstream: Upstream): OpenSocket {
  const nothing = () => undefined;
  if (upstream.http2 === true) {
    const sessions = createUpstreamSessions();
    return { socket: createBridge(sessions).connect(upstream), readyEvent: 'connect', close: sessions.close };
  }
  if (upstream.scheme === 'http')
    return { socket: net.connect(addressOf(upstream)), readyEvent: 'connect', close: nothing };
  const socket = tls.connect({ ...addressOf(upstream), ...tlsOptions(upstream) });
  return { socket, readyEvent: 'secureConnect', close: nothing };
}

/** One GET on a connection of its own; of the answer only the status is looked at, and no redirect followed. Never rejects. */
export function tryRequest(
  upstream: Upstream,
  path: string,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<Trial> {
  const options = { ...addressOf(upstream), path, headers, method: 'GET', agent: false };
  return new Promise((resolve) => {
    let close = () => {};
    let outgoing: http.ClientRequest;
    if (upstream.http2 === true) {
      const opened = openSocket(upstream);
      close = opened.close;
      outgoing = http.request({ path, headers, method: 'GET', createConnection: () => opened.socket });
    } else if (upstream.scheme === 'https') outgoing = https.request({ ...options, ...tlsOptions(upstream) });
    else outgoing = http.request(options);
    const end = (trial: Trial) => {
      clearTimeout(timeout);
      resolve(trial);
      outgoing.destroy();
      close();
    };
    const timeout = setTimeout(() => end(unreachable(`no answer within ${timeoutMs} ms`)), timeoutMs);
    outgoing.on('response', ({ statusCode = 0 }) => end({ kind: 'answered', status: statusCode }));
    outgoing.on('error', (error) => end(unreachable(codeOf(error))));
    outgoing.on('close', () => end(unreachable('closed without an answer')));
    outgoing.end();
  });
}

function addressOf({ host, port, socketPath }: Upstream) {
  return socketPath === undefined ? { host, port } : { path: socketPath, socketPath };
}

function unreachable(detail: string): Trial {
  return { kind: 'unreachable', detail };
}

function codeOf({ code = 'failed' }: NodeJS.ErrnoException): string {
  const problem = tlsProblem(code);
  return problem === undefined ? code : `${code}: ${problem}`;
}
