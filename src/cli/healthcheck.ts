import { exitCodes } from './exit-codes.ts';
import { noAnswer } from './no-answer.ts';
import { askOps, findOps } from './ops-client.ts';

export interface HealthcheckOptions {
  readonly config?: string;
  readonly url?: string;
  readonly live?: true;
  /** Seconds, as text. */
  readonly timeout: string;
}

/** Health texts are short; whatever else answers there is cut off. */
const mostBodyChars = 16_384;

/** Asks a running jwtgate over its ops listener: 0 for 200, 1 for any other answer, or none. */
export async function healthcheck(options: HealthcheckOptions): Promise<number> {
  const timeoutMs = Number(options.timeout) * 1000;
  if (!(timeoutMs > 0)) {
    process.stderr.write('jwtgate: --timeout must be a number of seconds above 0\n');
    return exitCodes.usage;
  }
  const path = options.live ? '/livez' : '/readyz';
  const found = await findOps({ flag: '--url', value: options.url }, options.config, path);
  if (found.kind === 'problem') {
    process.stderr.write(`jwtgate: ${found.detail}\n`);
    return found.exitCode;
  }
  const answer = await askOps(found.where, timeoutMs, mostBodyChars);
  if (answer.kind === 'none') {
    process.stderr.write(`jwtgate: ${noAnswer('ops listener', found.where, answer.why)}\n`);
    return exitCodes.no;
  }
  process.stdout.write(answer.body);
  return answer.status === 200 ? exitCodes.ok : exitCodes.no;
}
