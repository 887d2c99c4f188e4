import type { RequestOptions } from 'node:http';

const advice: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'is jwtgate running there?',
  ENOENT: 'is jwtgate running there?',
  EACCES: 'this user may not use the socket',
  'timed out': 'a longer --timeout may help',
};

/** What to say where nobody answered; `why`: Node's code, or "timed out". */
export function noAnswer(who: string, { socketPath, host, port }: RequestOptions, why: string): string {
  const shown = host?.includes(':') ? `[${host}]` : host;
  const address = socketPath === undefined || socketPath === null ? `http://${shown}:${port}` : `unix:${socketPath}`;
  const next = advice[why];
  return `no answer from the ${who} at ${address}: ${why}${next === undefined ? '' : `; ${next}`}`;
}
