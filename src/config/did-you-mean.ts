/** The candidate nearest to what was written, where it is near enough to be meant: at most `most` letters differ. */
export function findNearest(
  written: string,
  candidates: Iterable<string>,
  most = plausibleSlips(written.length),
): string | undefined {
  const wanted = written.toLowerCase();
  let best = most + 1;
  let nearest: string | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase(), best);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** "alg" is no guess for "url", but "modus" is one for "mode". */
function plausibleSlips(length: number): number {
  if (length <= 3) return 1;
  return Math.max(2, Math.floor(length / 3));
}

/** "did you mean …?" where there is something to be meant. */
export function didYouMean(written: string, candidates: Iterable<string>): string | undefined {
  const nearest = findNearest(written, candidates);
  return nearest === undefined ? undefined : `did you mean "${nearest}"?`;
}

/** Damerau's distance on neighbours: insert, delete, change, swap. Gives up, with `limit`, once it cannot be below. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let distance = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, (beforeLast[j - 2] as number) + 1);
      }
      row.push(distance);
    }
    if (Math.min(...row) >= limit) return limit;
    [beforeLast, last] = [last, row];
  }
  return last[b.length] as number;
}
