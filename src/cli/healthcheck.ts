import { type RequestOptions, request } from 'node:http';
import { diskDeps } from '../config/deps.ts';
import { createReport } from '../config/finding.ts';
import { readModel } from '../config/model.ts';
import { createPlaces } from '../config/places.ts';
import { findConfigPath, noConfigText } from './config-path.ts';
import { exitCodes } from './exit-codes.ts';

export interface HealthcheckOptions {
  readonly config?: string;
  readonly url?: string;
  readonly live?: true;
  /** Seconds, as text. */
  readonly timeout: string;
}

/** Asks a running jwtgate over its ops listener: 0 for 200, 1 for any other answer, 69 for none. */
export async function healthcheck(options: HealthcheckOptions): Promise<number> {
  const timeoutMs = Number(options.timeout) * 1000;
  if (!(timeoutMs > 0)) {
    process.stderr.write('jwtgate: --timeout must be a number of seconds above 0\n');
    return exitCodes.usage;
  }
  const path = options.live ? '/livez' : '/readyz';
  const where = options.url === undefined ? await targetOfConfig(options.config, path) : targetOfUrl(options.url, path);
  if (typeof where === 'number') return where;
  const answer = await ask(where, timeoutMs);
  if (answer.kind === 'none') {
    process.stderr.write(`jwtgate: no answer: ${answer.why}\n`);
    return exitCodes.no;
  }
  process.stdout.write(answer.body);
  return answer.status === 200 ? exitCodes.ok : exitCodes.no;
}

/** Where to ask, or the exit code where that can't be told. */
async function targetOfConfig(flag: string | undefined, path: string): Promise<RequestOptions | number> {
  const configPath = findConfigPath(flag, process.env);
  if (configPath === undefined) {
    process.stderr.write(noConfigText);
    return exitCodes.config;
  }
  const { model } = await readModel(configPath, {
    deps: diskDeps(process.env),
    places: createPlaces(),
    report: createReport(),
  });
  // A tenant that is broken by now is no reason to call a gate unhealthy that still serves what it read before.
  const ops = model?.globalsFit ? model.globals.config.ops : undefined;
  if (ops === undefined) {
    process.stderr.write(`jwtgate: ${configPath} has problems; jwtgate validate lists them\n`);
    return exitCodes.config;
  }
  if (ops === 'off') {
    process.stderr.write('jwtgate: the config says `ops: off`: there is nothing to ask\n');
    return exitCodes.usage;
  }
  if (ops.kind === 'unix') return { socketPath: ops.path, path };
  // Every interface is listened on: loopback is one of them.
  const host = ['', '0.0.0.0', '::'].includes(ops.host) ? 'localhost' : ops.host;
  return { host, port: ops.port, path };
}

function targetOfUrl(text: string, path: string): RequestOptions | number {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:') {
    process.stderr.write('jwtgate: --url must be an http:// URL\n');
    return exitCodes.usage;
  }
  // Brackets belong to the URL, not to the address.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { host, port: url.port || 80, path: url.pathname === '/' ? path : url.pathname };
}

type Answer = { kind: 'answer'; status: number; body: string } | { kind: 'none'; why: string };

/** Health texts are short; whatever else answers there is cut off. */
const mostBodyChars = 16_384;

function ask(where: RequestOptions, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const fail = (error: NodeJS.ErrnoException) =>
      resolve({ kind: 'none', why: signal.aborted ? 'timed out' : (error.code ?? 'failed') });
    request({ ...where, signal, agent: false }, (response) => {
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (chunk: string) => {
        body = (body + chunk).slice(0, mostBodyChars);
      });
      response.on('error', fail);
      response.on('end', () => resolve({ kind: 'answer', status: response.statusCode ?? 0, body }));
    })
      .on('error', fail)
      .end();
  });
}
