import { secondsOf } from './time.ts';
import { Duration, Timestamp, type Value } from './value.ts';

/** A time as clocks of a zone show it, in the UTC fields of a Date. */
export type Zone = (epochMs: number) => Date;

export const utc: Zone = (epochMs) => new Date(epochMs);

const offsetForm = /^([+-])?(\d\d):(\d\d)$/;

/** `Europe/Berlin` (IANA), or an offset such as `+02:00`; undefined for what is neither. */
export function findZone(name: string): Zone | undefined {
  const offset = offsetForm.exec(name);
  if (offset !== null) {
    const [, sign, hours, minutes] = offset;
    const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1);
    return (epochMs) => new Date(epochMs + offsetMs);
  }
  let format: Intl.DateTimeFormat;
  try {
    const [numeric, hourCycle] = ['numeric', 'h23'] as const;
    const parts = { year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric };
    format = new Intl.DateTimeFormat('en-US', { timeZone: name, hourCycle, ...parts });
  } catch {
    return undefined;
  }
  return (epochMs) => {
    const fields = new Map(format.formatToParts(epochMs).map(({ type, value }) => [type, Number(value)]));
    const field = (type: Intl.DateTimeFormatPartTypes): number => fields.get(type) ?? 0;
    const local = new Date(
      Date.UTC(2000, field('month') - 1, field('day'), field('hour'), field('minute'), field('second')),
    );
    local.setUTCFullYear(field('year'), field('month') - 1, field('day'));
    local.setUTCMilliseconds(((epochMs % 1000) + 1000) % 1000);
    return local;
  };
}

type Part = (local: Date) => number;

const dayMs = 86_400_000;

/** What a time tells of itself, by method name. Months and days of the year begin at 0, as in CEL. */
export const timeParts: Readonly<Record<string, Part>> = {
  getFullYear: (local) => local.getUTCFullYear(),
  getMonth: (local) => local.getUTCMonth(),
  getDate: (local) => local.getUTCDate(),
  getDayOfMonth: (local) => local.getUTCDate() - 1,
  getDayOfWeek: (local) => local.getUTCDay(),
  getDayOfYear: (local) =>
    Math.floor((local.getTime() - new Date(0).setUTCFullYear(local.getUTCFullYear(), 0, 1)) / dayMs),
  getHours: (local) => local.getUTCHours(),
  getMinutes: (local) => local.getUTCMinutes(),
  getSeconds: (local) => local.getUTCSeconds(),
  getMilliseconds: (local) => local.getUTCMilliseconds(),
};

/** A duration as a whole number of something. */
const durationParts: Readonly<Record<string, bigint>> = {
  getHours: 3_600_000_000_000n,
  getMinutes: 60_000_000_000n,
  getSeconds: 1_000_000_000n,
};

export function partOf(value: Value | undefined, name: string, zone: Zone): bigint | undefined {
  if (value instanceof Timestamp) {
    const epochMs = Number(secondsOf(value)) * 1000 + millisecondsOf(value);
    return BigInt((timeParts[name] as Part)(zone(epochMs)));
  }
  if (!(value instanceof Duration)) return undefined;
  if (name === 'getMilliseconds') return (value.nanoseconds / 1_000_000n) % 1000n;
  const nanoseconds = durationParts[name];
  return nanoseconds === undefined ? undefined : value.nanoseconds / nanoseconds;
}

function millisecondsOf({ nanoseconds }: Timestamp): number {
  const within = (nanoseconds / 1_000_000n) % 1000n;
  return Number(within < 0n ? within + 1000n : within);
}
