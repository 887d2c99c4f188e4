/** What a verb's exit code says; the sysexits numbers where there is one. Listed in `--help`. */
export const exitCodes = {
  ok: 0,
  /** The question was understood and the answer is no: not healthy, not valid. */
  no: 1,
  usage: 2,
  /** Something we depend on is away: an address that is taken, a server that does not answer. */
  unavailable: 69,
  /** A bug of ours (EX_SOFTWARE). */
  internal: 70,
  /** The config can't be used; every problem is on stderr (EX_CONFIG). */
  config: 78,
} as const;

export const exitCodesHelp = `
Exit codes:
  0      done; for run: drained after SIGTERM or SIGINT
  1      the answer is no (not healthy)
  2      wrong usage
  69     something needed is unavailable (an address is taken, a server does not answer)
  70     a fault in jwtgate itself
  78     the config has problems
  128+n  stopped at once by a second signal n`;
