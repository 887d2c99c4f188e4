const unitsMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const distance = /^([+-])(\d{1,9})([smhd])$/;
/** With a zone: a time of day without one is somebody's local time. */
const isoForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Milliseconds since 1970 of "2026-11-22T06:33:00Z", of seconds since 1970, or of "-5m" from `nowMs`; undefined where it is none. */
export function parseTime(text: string, nowMs: number): number | undefined {
  const [, sign, count, unit] = distance.exec(text) ?? [];
  if (unit !== undefined) {
    const ms = Number(count) * unitsMs[unit as keyof typeof unitsMs];
    return sign === '-' ? nowMs - ms : nowMs + ms;
  }
  if (/^\d{1,11}$/.test(text)) return Number(text) * 1000;
  const parsed = isoForm.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(parsed) ? undefined : parsed;
}
