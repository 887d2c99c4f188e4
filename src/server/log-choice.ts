import type { Log, LogFormat, LogLevel } from '../ops/log.ts';

/** How the log looks, where that is not the config's business alone. */
export interface LogChoice {
  /** What `log.format: auto` means here. */
  readonly autoFormat: LogFormat;
  /** Instead of what the config says, also after a reload. */
  readonly logLevel?: LogLevel | undefined;
  readonly logFormat?: LogFormat | undefined;
}

/** Lets a config that goes live have its say. */
export function applyLogSettings(
  log: Log,
  settings: { readonly level: LogLevel; readonly format: LogFormat | 'auto' },
  choice: LogChoice,
): void {
  log.level = choice.logLevel ?? settings.level;
  log.format = choice.logFormat ?? (settings.format === 'auto' ? choice.autoFormat : settings.format);
}

/** Debug lines, or none again; the level that it has become. */
export function toggleDebug(log: Log, choice: LogChoice): LogLevel {
  log.level = log.level === 'debug' ? (choice.logLevel ?? 'info') : 'debug';
  log.info('log level changed', { now: log.level });
  return log.level;
}
