import type { Decision } from './decision.ts';
import type { Outcome } from './gate.ts';
import type { RequestHead } from './request-head.ts';

/** What follows requests through the gate; where nothing is traced there is none. */
export interface Tracer {
  /**
   * A request begins. Gives the fields (flat name, value list) that take the place of its trace context on the way
   * upstream; undefined: what the client sent goes on as it is.
   */
  begin(head: RequestHead): readonly string[] | undefined;
  decided(head: RequestHead, decision: Decision): void;
  /** It is over; told once for each request that began. */
  end(outcome: Outcome): void;
}
