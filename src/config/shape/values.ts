import * as z from 'zod';

/**
 * The scalars of a config. Each takes what YAML gives; numbers and booleans also as text, because a filled `${ENV}` is
 * always text. Descriptions belong to the key, not to the scalar: callers add them.
 */

const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const durationForm = /^(?:\d+(?:ms|s|m|h))+$/;
/** setTimeout counts in 31 bits: a longer wait would be none at all. */
const mostTimerMs = 2 ** 31 - 1;

export interface DurationRange {
  readonly minMs?: number;
  readonly maxMs?: number;
}

/** "500ms", "30s", "1h30m": becomes milliseconds. */
export function duration({ minMs = 0, maxMs = mostTimerMs }: DurationRange = {}) {
  const words = 'must be a duration such as 500ms, 30s, 5m or 24h';
  return z
    .string({ error: words })
    .regex(durationForm, { error: words })
    .transform(readDuration)
    .refine((ms) => ms >= minMs && ms <= maxMs, {
      error:
        minMs === 0
          ? `must be at most ${formatDuration(maxMs)}`
          : `must be from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`,
    });
}

function readDuration(text: string): number {
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h)/g)) {
    ms += Number(count) * durationUnits[unit as keyof typeof durationUnits];
  }
  return ms;
}

function formatDuration(ms: number): string {
  const unit = (['h', 'm', 's'] as const).find((one) => ms !== 0 && ms % durationUnits[one] === 0) ?? 'ms';
  return ms === mostTimerMs ? '596h' : `${ms / durationUnits[unit]}${unit}`;
}

const sizeUnits = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
const sizeForm = /^\d+(?:B|KiB|MiB|GiB)?$/;

/** "64KiB", "1MiB", or a plain number of bytes: becomes bytes. */
export function size(minBytes: number, maxBytes: number) {
  const words = 'must be a size such as 64KiB or 1MiB';
  return z
    .union([wholeNumber(0, Number.MAX_SAFE_INTEGER, words), z.string().regex(sizeForm, { error: words })], {
      error: words,
    })
    .transform(readSize)
    .refine((bytes) => bytes >= minBytes && bytes <= maxBytes, {
      error: `must be from ${formatSize(minBytes)} to ${formatSize(maxBytes)}`,
    });
}

function readSize(value: string | number): number {
  if (typeof value === 'number') return value;
  const [, count, unit] = /^(\d+)([A-Za-z]*)$/.exec(value) as unknown as [string, string, keyof typeof sizeUnits | ''];
  return Number(count) * (unit === '' ? 1 : sizeUnits[unit]);
}

function formatSize(bytes: number): string {
  const unit = (['GiB', 'MiB', 'KiB'] as const).find((one) => bytes !== 0 && bytes % sizeUnits[one] === 0) ?? 'B';
  return `${bytes / sizeUnits[unit]}${unit}`;
}

/** A whole number within bounds. */
export function count(min: number, max: number) {
  const words = `must be a whole number from ${min} to ${max}`;
  return z
    .union([wholeNumber(min, max, words), z.string().regex(/^\d{1,15}$/, { error: words })], { error: words })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: words });
}

function wholeNumber(min: number, max: number, error: string) {
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function flag() {
  return z
    .union([z.boolean(), z.enum(['true', 'false'])], { error: 'must be true or false' })
    .transform((value) => value === true || value === 'true');
}

/** Text that is not empty. */
export function words(error = 'must be text') {
  return z.string({ error }).min(1, { error: 'must not be empty' });
}

/** Text, or a number taken as its decimal text: ids are written both ways. */
export function textOrNumber() {
  return z.union([words(), z.number()], { error: 'must be text or a number' }).transform(String);
}

/** One value, or a list of at least one: becomes a list. */
export function oneOrMore<T extends z.ZodType>(schema: T) {
  return z
    .union([schema, z.array(schema).min(1, { error: 'must not be an empty list' })])
    .transform((value) => (Array.isArray(value) ? value : [value]) as z.output<T>[]);
}

export const headerName = () =>
  z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, { error: 'must be a header name (RFC 9110 section 5.1)' });

/** Absolute http(s) URL without user, query or fragment. */
export function httpUrl(error = 'must be an http:// or https:// URL') {
  return z.string({ error }).superRefine((text, context) => {
    const problem = httpUrlProblem(text, error);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });
}

/** What is wrong with it as an absolute http(s) URL without user or fragment. */
export function httpUrlProblem(text: string, error: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:\/\//i.test(text) || url.hostname === '') return error;
  if (url.username !== '' || url.password !== '') return 'must not hold a user or password';
  if (text.includes('#')) return 'must not hold a fragment ("#")';
  return undefined;
}

/** Whatever YAML can hold, which is JSON; it is compared or sent, never interpreted. */
export function anyJson() {
  return z.unknown();
}

/** A number from 0 to 1. */
export function share() {
  const error = 'must be a share from 0 to 1, such as 0.01';
  return z
    .union([z.number({ error }), z.string().regex(/^(?:0|1|0?\.\d{1,9})$/, { error })], { error })
    .transform(Number)
    .refine((value) => value >= 0 && value <= 1, { error });
}
