import type { Gate } from '../gate/gate.ts';

/** One config for as long as a request needs it. */
export interface Generation {
  /** What the lanes ask; requests through it are counted until they finish. */
  readonly gate: Gate;
  activeRequests(): number;
  /** No new request will come: releases once the last one that is under way has finished. */
  retire(): void;
}

export interface GenerationParts {
  readonly gate: Gate;
  /** Told how long a judgement took in which a signature was verified. */
  onVerified(milliseconds: number): void;
  /** Called once, after retirement: nobody looks at the config's keys any more. */
  release(): void;
}

/** Counts the requests that hold a config, so that its key sources go only after the last of them. */
export function createGeneration({ gate, onVerified, release }: GenerationParts): Generation {
  // A number, and no set of the requests: each table that a set outgrows would keep those of its time until the next
  // full collection, which cost 1.7 KB a request.
  let active = 0;
  let retired = false;
  let released = false;

  function releaseWhenUnused(): void {
    if (!retired || released || active > 0) return;
    released = true;
    release();
  }

  return {
    gate: {
      ...gate,
      decide(head, body) {
        active++;
        const startMs = performance.now();
        const decided = gate.decide(head, body);
        if (!(decided instanceof Promise)) {
          if (decided.facts.cached === false) onVerified(performance.now() - startMs);
          return decided;
        }
        return decided.then((decision) => {
          onVerified(performance.now() - startMs);
          return decision;
        });
      },
      finish(outcome) {
        // Without a head there was nothing to decide.
        if (outcome.head !== undefined) active--;
        gate.finish(outcome);
        releaseWhenUnused();
      },
    },
    activeRequests: () => active,
    retire() {
      // A lane may have fetched this gate with the first byte of a head that is still on its way.
      setTimeout(() => {
        retired = true;
        releaseWhenUnused();
      }, gate.timeouts.headerMs).unref();
    },
  };
}
