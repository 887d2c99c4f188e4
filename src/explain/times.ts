/** Claims that hold a time (RFC 7519 section 4.1, OpenID Connect Core section 2). */
const timeClaims = ['iat', 'nbf', 'exp', 'auth_time'] as const;

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** Later than any token's time in seconds, earlier than any in milliseconds. */
const milliseconds = 1e11;

/** The payload's times for people: "2026-11-22T06:33:00Z, in 4 m 12 s". */
export function describeTimes(payload: Readonly<Record<string, unknown>>, nowMs: number): Record<string, string> {
  return Object.fromEntries(
    timeClaims.flatMap((name) => (Object.hasOwn(payload, name) ? [[name, describeTime(payload[name], nowMs)]] : [])),
  );
}

function describeTime(value: unknown, nowMs: number): string {
  if (typeof value !== 'number') return 'not a time: it must be a number of seconds since 1970';
  const date = new Date(value * 1000);
  if (Number.isNaN(date.getTime()) || looksLikeMilliseconds(value)) {
    return 'not a time: it must be in seconds since 1970, and looks like milliseconds';
  }
  return `${isoSeconds(date)}, ${describeDistance(Math.round(value - nowMs / 1000))}`;
}

export function looksLikeMilliseconds(value: number): boolean {
  return Math.abs(value) >= milliseconds;
}

export function isoSeconds(date: Date): string {
  return date.toISOString().replace('.000Z', 'Z');
}

/** "in 4 m 12 s", "3 d 2 h ago" or "now", of whole seconds from now on. */
function describeDistance(seconds: number): string {
  if (seconds === 0) return 'now';
  return seconds > 0 ? `in ${describeSpan(seconds)}` : `${describeSpan(-seconds)} ago`;
}

/** "4 m 12 s": the two largest units. */
export function describeSpan(seconds: number): string {
  let rest = Math.round(seconds);
  const parts: string[] = [];
  for (const [unit, length] of units) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.length === 0 ? '0 s' : parts.slice(0, 2).join(' ');
}
