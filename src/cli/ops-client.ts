import { type RequestOptions, request } from 'node:http';
import { diskDeps } from '../config/deps.ts';
import { beginLoad, readModel } from '../config/model.ts';
import { findConfigPath, noConfigText } from './config-path.ts';
import { exitCodes } from './exit-codes.ts';

/** Where a running jwtgate's ops listener is; `url` is what the flag `flag` gave, else the config says. */
export type OpsAddress =
  | { readonly kind: 'address'; readonly where: RequestOptions }
  | { readonly kind: 'problem'; readonly detail: string; readonly exitCode: number };

export async function findOps(
  url: { readonly flag: string; readonly value: string | undefined },
  config: string | undefined,
  path: string,
): Promise<OpsAddress> {
  return url.value === undefined ? ofConfig(config, path) : ofUrl(url.flag, url.value, path);
}

async function ofConfig(flag: string | undefined, path: string): Promise<OpsAddress> {
  const configPath = findConfigPath(flag, process.env);
  if (configPath === undefined) return problem(noConfigText.replace(/^jwtgate: |\n$/g, ''), exitCodes.config);
  const { model } = await readModel(configPath, beginLoad(diskDeps(process.env)));
  // A tenant that is broken by now is no reason to call a gate unhealthy that still serves what it read before.
  const ops = model?.globalsFit ? model.globals.config.ops : undefined;
  if (ops === undefined) return problem(`${configPath} has problems; jwtgate validate lists them`, exitCodes.config);
  if (ops === 'off') return problem('the config says `ops: off`: there is nothing to ask', exitCodes.usage);
  if (ops.kind === 'unix') return { kind: 'address', where: { socketPath: ops.path, path } };
  // Every interface is listened on: loopback is one of them.
  const host = ['', '0.0.0.0', '::'].includes(ops.host) ? 'localhost' : ops.host;
  return { kind: 'address', where: { host, port: ops.port, path } };
}

function ofUrl(flag: string, text: string, path: string): OpsAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:') return problem(`${flag} must be an http:// URL`, exitCodes.usage);
  // Brackets belong to the URL, not to the address.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const where = { host, port: url.port || 80, path: url.pathname === '/' ? path : url.pathname };
  return { kind: 'address', where };
}

function problem(detail: string, exitCode: number): OpsAddress {
  return { kind: 'problem', detail, exitCode };
}

export type OpsReply =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'none'; readonly why: string };

/** One GET, of whose answer no more than `mostChars` are kept. Never rejects. */
export function askOps(where: RequestOptions, timeoutMs: number, mostChars: number): Promise<OpsReply> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(Math.ceil(timeoutMs));
    const fail = (error: NodeJS.ErrnoException) =>
      resolve({ kind: 'none', why: signal.aborted ? 'timed out' : (error.code ?? 'failed') });
    request({ ...where, signal, agent: false }, (response) => {
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (chunk: string) => {
        body = (body + chunk).slice(0, mostChars);
      });
      response.on('error', fail);
      response.on('end', () => resolve({ kind: 'answer', status: response.statusCode ?? 0, body }));
    })
      .on('error', fail)
      .end();
  });
}
