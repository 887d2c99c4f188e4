import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Upstream } from '../gate/policy.ts';
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
    const secure = upstream.scheme === 'https';
    const socket = secure
      ? tls.connect({ ...addressOf(upstream), ...tlsOptions(upstream) })
      : net.connect(addressOf(upstream));
    const end = (trial: Trial) => {
      clearTimeout(timeout);
      resolve(trial);
      socket.destroy();
    };
    const timeout = setTimeout(() => end(unreachable(`no connection within ${timeoutMs} ms`)), timeoutMs);
    socket.on(secure ? 'secureConnect' : 'connect', () => end({ kind: 'connected' }));
    socket.on('error', (error) => end(unreachable(codeOf(error))));
    socket.on('close', () => end(unreachable('closed before it was ready')));
  });
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
    const outgoing =
      upstream.scheme === 'https' ? https.request({ ...options, ...tlsOptions(upstream) }) : http.request(options);
    const end = (trial: Trial) => {
      clearTimeout(timeout);
      resolve(trial);
      outgoing.destroy();
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

function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? 'failed';
}
