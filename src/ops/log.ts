import type { LineWriter } from './line-writer.ts';
import { printableText, quoteJson } from './printable.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export type LogFormat = 'json' | 'text';
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const satisfies readonly LogLevel[];

/** What happens to the process itself, one line an event; requests have a log of their own (access-log.ts). */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  fatal(message: string, fields?: LogFields): void;
  /** Live: both can change with a reload. */
  level: LogLevel;
  format: LogFormat;
}

/**
 * A log on `writer`; `about` stands in every line. No field may hold a secret; text that looks like a token is cut out
 * all the same.
 */
export function createLog(writer: LineWriter, level: LogLevel, format: LogFormat, about: LogFields = {}): Log {
  let threshold = logLevels.indexOf(level);

  function emit(lineLevel: LogLevel, message: string, fields: LogFields): void {
    if (logLevels.indexOf(lineLevel) < threshold) return;
    const all = { ...about, ...fields };
    writer.write(log.format === 'json' ? jsonLine(lineLevel, message, all) : textLine(lineLevel, message, all));
  }

  const log: Log = {
    debug: (message, fields = {}) => emit('debug', message, fields),
    info: (message, fields = {}) => emit('info', message, fields),
    warn: (message, fields = {}) => emit('warn', message, fields),
    error: (message, fields = {}) => emit('error', message, fields),
    fatal: (message, fields = {}) => emit('fatal', message, fields),
    get level() {
      return logLevels[threshold] as LogLevel;
    },
    set level(next) {
      threshold = logLevels.indexOf(next);
    },
    format,
  };
  return log;
}

function jsonLine(level: LogLevel, message: string, fields: LogFields): string {
  let line = `{"time":"${new Date().toISOString()}","level":"${level}","msg":${quoteJson(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) line += `,${quoteJson(name)}:${jsonValue(value)}`;
  }
  return `${line}}`;
}

function jsonValue(value: string | number | boolean | readonly string[]): string {
  if (typeof value === 'string') return quoteJson(value);
  if (typeof value === 'object') return `[${value.map(quoteJson).join(',')}]`;
  return String(value);
}

function textLine(level: LogLevel, message: string, fields: LogFields): string {
  let line = `${new Date().toISOString().slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${printableText(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${name}=${textValue(value)}`;
  }
  return line;
}

function textValue(value: string | number | boolean | readonly string[]): string {
  const text = printableText(typeof value === 'object' ? value.join(',') : String(value));
  return text === '' || text.includes(' ') ? `"${text}"` : text;
}
