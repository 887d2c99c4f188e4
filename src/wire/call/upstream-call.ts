import type { Upstream } from '../../gate/policy.ts';
import type { BodyFraming } from '../framing.ts';

/** A request that goes upstream, whatever is spoken there. */
export interface CallRequest {
  readonly upstream: Upstream;
  readonly method: string;
  /** Origin-form target, sent byte for byte. */
  readonly target: string;
  /** The gate's final list; framing is the call's. */
  readonly headers: readonly string[];
  readonly body: BodyFraming;
  /** Names of the trailer fields to announce. */
  readonly trailerNames: readonly string[];
}

/** The answer's head, in the spelling in which it came. */
export interface CallHead {
  readonly status: number;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
  /** All that is behind it, where that is here already and has no trailers; empty: there is nothing. Comes here alone. */
  readonly rest: Buffer | undefined;
}

export interface CallFailure {
  /** For the log. */
  readonly detail: string;
  /** `untouched`: the upstream has certainly done nothing. `unanswered`: a connection that it had closed meanwhile. */
  readonly progress: 'untouched' | 'unanswered' | 'unknown';
  /** The upstream's own error code, where it speaks HTTP/2 (RFC 9113 section 7). */
  readonly errorCode?: number | undefined;
}

/** What becomes of a call; nothing comes after `onEnd` or `onFailure`. */
export interface CallEvents {
  /** There is a connection: the body may be written, and `end` called. */
  onConnected(): void;
  /** More may be written. */
  onDrain(): void;
  /** The whole request has gone out. */
  onSent(): void;
  /** RFC 9110 section 15.2. */
  onInterim(status: number, rawHeaders: readonly string[]): void;
  onHead(head: CallHead): void;
  onData(chunk: Buffer): void;
  onEnd(rawTrailers: readonly string[]): void;
  onFailure(failure: CallFailure): void;
}

/** One try to have a request answered. Whoever started it hears no more of it once it called `abort`. */
export interface UpstreamCall {
  /** False: better wait for `onDrain`. */
  write(chunk: Uint8Array): boolean;
  readonly isFull: boolean;
  /** The body is whole; trailers as name, value pairs. */
  end(trailers: readonly (readonly [string, string])[]): void;
  /** The answer's body waits. */
  pause(): void;
  resume(): void;
  /** Gives it up, and tells the upstream where that is possible. */
  abort(): void;
}
