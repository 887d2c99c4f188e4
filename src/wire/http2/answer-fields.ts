import { fieldValue } from '../framing.ts';

/** Node's raw form of a header section: `:status` first, then name, value …; the name of a field is in lower case. */
export type RawAnswer = (string | number)[];

const httpToken = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/**
 * A flat list as an answer of HTTP/2 (RFC 9113 section 8.2): names in lower case, without what belongs to an HTTP/1
 * connection. Undefined where something can't stand in a header section: Node joins it with NUL, and would not notice.
 */
export function answerFields(status: number, list: readonly string[]): RawAnswer | undefined {
  const answer: RawAnswer = [':status', status];
  for (let i = 0; i < list.length; i += 2) {
    const name = (list[i] as string).toLowerCase();
    const value = list[i + 1] as string;
    if (name === 'connection' || name === 'keep-alive' || name === 'transfer-encoding' || name === 'upgrade') continue;
    if (!httpToken.test(name) || !fieldValue.test(value)) return undefined;
    answer.push(name, value);
  }
  return answer;
}

/** Pairs as Node takes trailers and interim fields; of a name that repeats, all its values. */
export function fieldRecord(pairs: Iterable<readonly [string, string]>): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    if (!httpToken.test(lower) || !fieldValue.test(value)) continue;
    const known = record[lower];
    record[lower] = known === undefined ? value : [known, value].flat();
  }
  return record;
}
