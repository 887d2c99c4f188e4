import type { CannotListen } from '../server/cannot-listen.ts';

/** What is wrong with an address, and what to do about it, by Node's code. */
const advice: Readonly<Record<string, (setting: string) => string>> = {
  EADDRINUSE: (setting) => `something listens there already: end it, or change \`${setting}\``,
  EACCES: () => 'this user may not listen there; ports below 1024 need a capability (CAP_NET_BIND_SERVICE)',
  EADDRNOTAVAIL: (setting) => `this machine has no such address: change \`${setting}\`, or bind all with 0.0.0.0`,
  ENOENT: () => 'the directory of the socket does not exist: make it first',
  ENOTFOUND: (setting) => `the name leads to no address: change \`${setting}\``,
};

/** Why a listener could not be opened, for people. */
export function listenProblem({ setting, address, code }: CannotListen): string {
  return `cannot listen on ${address}, as \`${setting}\` says: ${advice[code]?.(setting) ?? code}`;
}
