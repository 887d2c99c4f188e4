import { newTicketSecret, type TicketSecret } from '../wire/tls/ticket-keys.ts';

/** The secret of the moment for session tickets, in one process or for all workers. */
export interface TicketSecrets {
  readonly current: TicketSecret;
  stop(): void;
}

/**
 * Whoever learns a secret reads the TLS 1.2 sessions of its time; a new one is wanted at least once a week (RFC 9325
 * section 3.4). Node holds one key at a time: each change costs the clients of the last two hours, which is how long a
 * ticket is good, one full handshake.
 */
const everyMs = 12 * 3_600_000;

/** Draws one now, and a new one twice a day, which `use` is told; the one before is wiped. */
export function createTicketSecrets(use: (secret: TicketSecret) => void): TicketSecrets {
  let current = newTicketSecret();
  const timer = setInterval(() => {
    const former = current;
    current = newTicketSecret();
    use(current);
    former.fill(0);
  }, everyMs).unref();
  return {
    get current() {
      return current;
    },
    stop: () => clearInterval(timer),
  };
}
