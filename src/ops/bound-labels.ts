/** A time series a value: this many values get their own, the rest share `_other`. */
export const maxLabelValues = 1_000;

/** What belongs to each label value; beyond the first `maxLabelValues` together, as `_other`. */
export function boundLabels<T>(
  groups: ReadonlyMap<string, readonly T[]>,
): (readonly [value: string, of: readonly T[]])[] {
  const all = [...groups];
  if (all.length <= maxLabelValues) return all;
  const rest = all.slice(maxLabelValues).flatMap(([, of]) => of);
  return [...all.slice(0, maxLabelValues), ['_other', rest]];
}
