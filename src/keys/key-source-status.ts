import type { FetchFailureCode } from './fetch-document.ts';
import type { SkippedKey } from './import-key-set.ts';

/** How fetches ended, each counted: the label of the metric. */
export type FetchOutcome = 'fetched' | 'notModified' | FetchFailureCode;

/** `waiting`: no answer yet; `fresh`; `stale`: used on past their time; `absent`: none could be had, or dropped as too old. */
export type KeySourceState = 'waiting' | 'fresh' | 'stale' | 'absent';

/** What metrics and pages show of one remote source at one moment. Times are milliseconds since the epoch. */
export interface KeySourceStatus {
  readonly kind: 'jwks' | 'discovery';
  /** Without its query, which may hold an API key. */
  readonly url: string;
  readonly state: KeySourceState;
  /** Did it ever answer? What readiness asks: a later outage is no reason to leave the pool. */
  readonly readyOnce: boolean;
  readonly keys: readonly { readonly kid: string | undefined; readonly algorithms: readonly string[] }[];
  /** Keys of the present set that are not used, and why. */
  readonly skipped: readonly SkippedKey[];
  readonly lastSuccessMs: number | undefined;
  readonly lastError: SourceError | undefined;
  /** Undefined while a fetch is under way. */
  readonly nextFetchMs: number | undefined;
  /** Failures in a row; 0 while all is well. */
  readonly failures: number;
  readonly fetches: Readonly<Partial<Record<FetchOutcome, number>>>;
}

export interface SourceError {
  readonly atMs: number;
  readonly code: FetchFailureCode;
  readonly detail: string;
}

/** Worth a log line. */
export type KeySourceEvent =
  | {
      readonly kind: 'keysChanged';
      readonly url: string;
      readonly added: readonly (string | undefined)[];
      readonly removed: readonly (string | undefined)[];
      readonly skipped: readonly SkippedKey[];
    }
  | { readonly kind: 'fetchFailed'; readonly url: string; readonly error: SourceError; readonly keysLeft: number }
  | { readonly kind: 'recovered'; readonly url: string; readonly failures: number }
  | { readonly kind: 'keysDropped'; readonly url: string; readonly detail: string };
