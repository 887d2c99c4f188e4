import { constants } from 'node:os';

export type StopSignal = 'SIGTERM' | 'SIGINT';

export interface SignalHandlers {
  reload(): void;
  /** Called once: a second stop signal ends the process at once with 128 + its number. */
  stop(signal: StopSignal): void;
  toggleDebug(): void;
}

/** Signals from now on are kept until somebody handles them. */
export interface HeldSignals {
  handle(handlers: SignalHandlers): void;
}

/**
 * Takes over SIGHUP, SIGUSR2, SIGTERM and SIGINT. Called before anything else is loaded: until then a SIGHUP would
 * end the process instead of reloading it.
 */
export function holdSignals(): HeldSignals {
  let handlers: SignalHandlers | undefined;
  let reloadAsked = false;
  let stopAsked: StopSignal | undefined;

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopAsked !== undefined) process.exit(128 + constants.signals[signal]);
      stopAsked = signal;
      handlers?.stop(signal);
    });
  }
  process.on('SIGUSR2', () => handlers?.toggleDebug());
  process.on('SIGHUP', () => {
    if (handlers === undefined) reloadAsked = true;
    else handlers.reload();
  });

  return {
    handle(given) {
      handlers = given;
      if (stopAsked !== undefined) given.stop(stopAsked);
      else if (reloadAsked) given.reload();
    },
  };
}

/** Lets every signal pass that can be caught and means `run`. */
export function ignoreSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined);
}
