import type { Problem } from '../config/problem.ts';
import type { LineWriter } from '../ops/line-writer.ts';
import type { Log, LogFormat, LogLevel } from '../ops/log.ts';
import type { CannotListen } from './cannot-listen.ts';
import type { ReloadCause, ReloadOutcome } from './reloads.ts';

export interface ServerOptions {
  /** Absolute path of the main file. */
  readonly configPath: string;
  readonly env: NodeJS.ProcessEnv;
  readonly writer: LineWriter;
  /** Level and format are set from the config, now and at each reload. */
  readonly log: Log;
  /** What `log.format: auto` means here. */
  readonly autoFormat: LogFormat;
  readonly build: { readonly version: string; readonly commit: string; readonly runtime: string };
  /** Instead of what the config says, also after a reload. */
  readonly overrides: {
    readonly watch?: boolean | undefined;
    readonly logLevel?: LogLevel | undefined;
    readonly logFormat?: LogFormat | undefined;
  };
  /** Called when it serves and before the log says so: what its reader looks for next has to be there by then. */
  readonly beforeStarted?: (() => void) | undefined;
}

export interface Server {
  /** "host:port" as bound, or "unix:/path". */
  readonly proxyAddress: string;
  /** Undefined with `ops: off`. */
  readonly opsAddress: string | undefined;
  /** Undefined with `admin: off`. */
  readonly adminAddress: string | undefined;
  /** Loads the config anew: all of it goes live, or nothing does. Never rejects. */
  reload(cause: ReloadCause): Promise<ReloadOutcome>;
  /** Debug lines, until the next call or reload. */
  toggleDebug(): void;
  /**
   * Says that it is not ready, goes on for `timeouts.drainDelay`, stops accepting, waits up to `timeouts.drain` for what
   * is under way, then closes everything.
   */
  drain(cause: string): Promise<void>;
  /** Resolves, with the reason, if it can't go on: what was under way has had its time, and nothing is served any more. */
  readonly gaveUp?: Promise<string>;
}

export type StartResult =
  | { readonly kind: 'started'; readonly server: Server }
  | { readonly kind: 'configRefused'; readonly problems: readonly Problem[] }
  | CannotListen
  /** The config is sound, and yet a worker came to nothing. */
  | { readonly kind: 'workersFailed'; readonly detail: string };
