import { Duration, Fault, Timestamp } from './value.ts';

const second = 1_000_000_000n;
const millisecond = 1_000_000n;

const firstTime = -62_135_596_800n * second;
const lastTime = 253_402_300_800n * second - 1n;
const longestDuration = 315_576_000_000n * second;

/** Years 1 to 9999, as google.protobuf.Timestamp has them. */
export function inTimestampRange(nanoseconds: bigint): boolean {
  return nanoseconds >= firstTime && nanoseconds <= lastTime;
}

export function inDurationRange(nanoseconds: bigint): boolean {
  return nanoseconds >= -longestDuration && nanoseconds <= longestDuration;
}

const noTimestamp = new Fault('is no time such as 2026-01-31T08:00:00Z (RFC 3339)');
const rfc3339 = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;

export function parseTimestamp(text: string): Timestamp | Fault {
  const match = rfc3339.exec(text);
  if (match === null) return noTimestamp;
  const [, date, clock, fraction = '', sign, hours = '0', minutes = '0'] = match;
  const epochMs = Date.parse(`${date}T${clock}Z`);
  // Date.parse takes the 31st of any month, and 24:00:00.
  if (Number.isNaN(epochMs) || !new Date(epochMs).toISOString().startsWith(`${date}T${clock}`)) return noTimestamp;
  if (Number(hours) > 23 || Number(minutes) > 59) return noTimestamp;
  const offset = (BigInt(hours) * 3600n + BigInt(minutes) * 60n) * second * (sign === '-' ? -1n : 1n);
  const nanoseconds = BigInt(epochMs) * millisecond + BigInt(fraction.padEnd(9, '0')) - offset;
  return inTimestampRange(nanoseconds) ? new Timestamp(nanoseconds) : noTimestamp;
}

/** Of a NumericDate (RFC 7519 section 2): seconds since the epoch, with a fraction or without. */
export function timestampOf(seconds: bigint | number): Timestamp | Fault {
  if (typeof seconds === 'number' && !(Math.abs(seconds) < 1e12)) return noTimestamp;
  const nanoseconds = typeof seconds === 'bigint' ? seconds * second : BigInt(Math.round(seconds * 1000)) * millisecond;
  return inTimestampRange(nanoseconds) ? new Timestamp(nanoseconds) : noTimestamp;
}

const noDuration = new Fault('is no duration such as 90s, 1h30m or 250ms');
const durationForm = /^[+-]?(?:\d{1,18}(?:\.\d{0,18})?(?:h|ms|m|s|us|ns)){1,10}$/;
const durationPart = /(\d+)(?:\.(\d*))?(h|ms|m|s|us|ns)/g;
const units: Readonly<Record<string, bigint>> = {
  h: 3600n * second,
  m: 60n * second,
  s: second,
  ms: millisecond,
  us: 1000n,
  ns: 1n,
};

export function parseDuration(text: string): Duration | Fault {
  if (text.length > 128 || !durationForm.test(text)) return noDuration;
  let nanoseconds = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(durationPart)) {
    const nanosecondsAUnit = units[unit] as bigint;
    nanoseconds += BigInt(whole) * nanosecondsAUnit;
    nanoseconds += (BigInt(fraction || '0') * nanosecondsAUnit) / 10n ** BigInt(fraction.length);
  }
  if (text.startsWith('-')) nanoseconds = -nanoseconds;
  return inDurationRange(nanoseconds) ? new Duration(nanoseconds) : noDuration;
}

export function secondsOf({ nanoseconds }: Timestamp | Duration): bigint {
  // Towards the past for a time, towards zero would move it into the next second.
  return nanoseconds / second - (nanoseconds % second < 0n ? 1n : 0n);
}
