import { tlsProblem } from '../keys/tls-problem.ts';

/** What Node says of it; an error has its name where it has no code. */
interface ConnectionError {
  readonly code?: string | undefined;
  readonly name?: string;
  readonly message: string;
}

/** What became of a connection to an upstream, for the log: the system's word for it, and what that means. */
export function upstreamProblem({ code, name, message }: ConnectionError): string {
  const word = code ?? name ?? 'failed';
  return `${word}: ${tlsProblem(word) ?? message}`;
}
