import { type RequestOptions, request } from 'node:http';
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
  const where = options.url === undefined ? undefined : targetOfUrl(options.url, path);
  if (where === undefined) {
    process.stderr.write('jwtgate: --url must be an http:// URL\n');
    return exitCodes.usage;
  }
  const answer = await ask(where, timeoutMs);
  if (answer.kind === 'none') {
    process.stderr.write(`jwtgate: no answer: ${answer.why}\n`);
    return exitCodes.no;
  }
  process.stdout.write(answer.body);
  return answer.status === 200 ? exitCodes.ok : exitCodes.no;
}

function targetOfUrl(text: string, path: string): RequestOptions | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'http:') return undefined;
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
