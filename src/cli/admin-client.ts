import { type RequestOptions, request } from 'node:http';
import { diskDeps } from '../config/deps.ts';
import { beginLoad, readModel } from '../config/model.ts';
import { findConfigPath, noConfigText } from './config-path.ts';

/** Where a running jwtgate's admin listener is. */
export type AdminAddress =
  | { readonly kind: 'address'; readonly where: RequestOptions }
  | { readonly kind: 'problem'; readonly detail: string };

export type AdminReply =
  | { readonly kind: 'reply'; readonly status: number; readonly body: string }
  | { readonly kind: 'none'; readonly why: string };

/** From `--admin` (http://host:port or unix:/path), else from what the config says. */
export async function findAdmin(
  flag: string | undefined,
  config: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<AdminAddress> {
  if (flag !== undefined) return ofFlag(flag);
  const path = findConfigPath(config, env);
  if (path === undefined) return problem(noConfigText.replace(/^jwtgate: |\n$/g, ''));
  const { model } = await readModel(path, beginLoad(diskDeps(env)));
  if (!model?.globalsFit) return problem(`${path} has problems; jwtgate validate lists them`);
  const { admin } = model.globals.config;
  if (admin === undefined) return problem(`${path} says admin: off; name the listener with --admin`);
  const { address } = admin;
  if (address.kind === 'unix') return { kind: 'address', where: { socketPath: address.path } };
  // Every interface is listened on: loopback is one of them.
  const host = ['', '0.0.0.0', '::'].includes(address.host) ? 'localhost' : address.host;
  return { kind: 'address', where: { host, port: address.port } };
}

function ofFlag(flag: string): AdminAddress {
  if (flag.startsWith('unix:/')) return { kind: 'address', where: { socketPath: flag.slice('unix:'.length) } };
  const url = URL.canParse(flag) ? new URL(flag) : undefined;
  if (url?.protocol !== 'http:') return problem('--admin must be http://host:port or unix:/path');
  return { kind: 'address', where: { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port || 80 } };
}

function problem(detail: string): AdminAddress {
  return { kind: 'problem', detail };
}

const mostBodyChars = 4 * 1024 * 1024;

/** One GET; with a JSON body, one POST. Never rejects. */
export function askAdmin(where: RequestOptions, path: string, timeoutMs: number, json?: string): Promise<AdminReply> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(Math.ceil(timeoutMs));
    const fail = (error: NodeJS.ErrnoException) =>
      resolve({ kind: 'none', why: signal.aborted ? 'timed out' : (error.code ?? 'failed') });
    // A unix socket has no name of its own to be called by.
    const headers = {
      ...(where.socketPath === undefined ? {} : { host: 'localhost' }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const method = json === undefined ? 'GET' : 'POST';
    request({ ...where, path, method, headers, signal, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body = (body + chunk).slice(0, mostBodyChars);
      });
      response.on('error', fail);
      response.on('end', () => resolve({ kind: 'reply', status: response.statusCode ?? 0, body }));
    })
      .on('error', fail)
      .end(json);
  });
}
