import type { FrontName } from '../gate/fronts.ts';
import type { CompiledTls } from './compile-listen.ts';
import type { GlobalConfig, WorkersConfig } from './shape/config.ts';
import type { ListenAddress } from './shape/listener.ts';
import type { TracingSettings } from './shape/tracing.ts';

/** What of a config is not the gate's: listeners, logging, watching. */
export interface Settings {
  readonly listen: ListenAddress;
  /** Undefined: plain HTTP. */
  readonly tls: CompiledTls | undefined;
  /** Undefined: `ops: off`. */
  readonly ops: ListenAddress | undefined;
  /** Undefined: `admin: off`. `hosts`: names under which it may be called. */
  readonly admin: { readonly address: ListenAddress; readonly hosts: readonly string[] } | undefined;
  /** Where fronts ask; undefined: nowhere. */
  readonly verify: { readonly address: ListenAddress; readonly front: FrontName } | undefined;
  readonly watch: boolean;
  readonly lane: 'auto' | 'node';
  readonly workers: WorkersConfig;
  readonly verdictCache: { readonly entries: number; readonly bytes: number };
  readonly log: GlobalConfig['log'];
  /** Beside what the environment says; undefined: nothing. */
  readonly tracing: TracingSettings | undefined;
}

export function settingsOf(globals: GlobalConfig, tls: CompiledTls | undefined): Settings {
  const { listen, ops, admin, verify, watch, lane, workers, verdictCache, log, tracing } = globals;
  return {
    listen: listen.address,
    tls,
    ops: ops === 'off' ? undefined : ops,
    admin,
    verify,
    watch,
    lane,
    workers,
    verdictCache,
    log,
    tracing,
  };
}
