import { isUtf8 } from 'node:buffer';
import type { RedisAnswer } from './redis-connection.ts';

/** A set's members as lines; or why they can't be had. */
export type SetRead =
  | {
      readonly kind: 'lines';
      readonly text: string;
      /** As the server counts them; SSCAN may show one twice. */
      readonly members: number;
    }
  | { readonly kind: 'failed'; readonly detail: string };

/** Sends one command; `asBytes`: text in the answer comes as Buffers. Never rejects, and is bounded in time. */
export type AskRedis = (command: readonly string[], options?: { readonly asBytes?: boolean }) => Promise<RedisAnswer>;

export interface SetBounds {
  readonly members: number;
  readonly bytes: number;
  /** Of one member; a longer one is put down as {@link unfit}. */
  readonly memberBytes: number;
}

/** Members asked for at a time: some 40 kB, a millisecond of Redis's time and of ours. */
const pageMembers = 1_000;

/** Stands for a member that can't stand on a line by itself; no list of anything has such an entry. */
const unfit = '?';

/** How many members the set at a key has. */
export async function countMembers(ask: AskRedis, key: string): Promise<number | string> {
  const answer = await ask(['SCARD', key]);
  if (answer.kind === 'failed') return inWords(answer, key);
  const { value } = answer;
  return Number.isSafeInteger(value) && (value as number) >= 0
    ? (value as number)
    : 'an answer that SCARD does not give';
}

/**
 * Reads a whole set in pages, a line a member, until `deadline` (of `performance.now()`). SSCAN shows every member that
 * is there all the time; where the key itself was replaced meanwhile it may show part of each. WATCH tells that
 * something changed, and then the set is read again, once: of a set in which something changes always, the second
 * reading has to do.
 */
export async function readSet(ask: AskRedis, key: string, bounds: SetBounds, deadline: number): Promise<SetRead> {
  const halfway = (performance.now() + deadline) / 2;
  for (let attempt = 1; ; attempt++) {
    const watched = await ask(['WATCH', key]);
    if (watched.kind === 'failed') return failed(inWords(watched, key));
    const read = await readPages(ask, key, bounds, deadline);
    if (read.kind === 'failed') return read;
    const changed = await hasChanged(ask);
    if (typeof changed === 'string') return failed(changed);
    if (!changed || attempt === 2 || performance.now() > halfway) return read;
  }
}

async function readPages(ask: AskRedis, key: string, bounds: SetBounds, deadline: number): Promise<SetRead> {
  const most = await countMembers(ask, key);
  if (typeof most === 'string') return failed(most);
  // A set that was emptied and one that was lost look the same: nobody knows what stood in it.
  if (most === 0) {
    return failed(`there is no set ${key}; an empty list is a set with a comment in it: SADD ${key} '# none'`);
  }
  if (most > bounds.members) return failed(`${most} members: more than ${bounds.members}`);
  const pages: string[] = [];
  let bytes = 0;
  let cursor = '0';
  do {
    if (performance.now() > deadline) return failed('the set could not be read within the timeout');
    const answer = await ask(['SSCAN', key, cursor, 'COUNT', String(pageMembers)], { asBytes: true });
    if (answer.kind === 'failed') return failed(inWords(answer, key));
    const page = asPage(answer.value);
    if (page === undefined) return failed('an answer that SSCAN does not give');
    cursor = page.cursor;
    if (page.members.length === 0) continue;
    const text = `${page.members.map((member) => asLine(member, bounds.memberBytes)).join('\n')}\n`;
    bytes += Buffer.byteLength(text);
    if (bytes > bounds.bytes) return failed(`more than ${bounds.bytes} bytes`);
    pages.push(text);
  } while (cursor !== '0');
  return { kind: 'lines', text: pages.join(''), members: most };
}

/** Ends what WATCH began: has anything changed since? */
async function hasChanged(ask: AskRedis): Promise<boolean | string> {
  // Both are sent in any case: a connection that waits for an EXEC would answer nothing else any more.
  const [begun, done] = await Promise.all([ask(['MULTI']), ask(['EXEC'])]);
  if (begun.kind === 'failed') return begun.detail;
  if (done.kind === 'failed') return done.detail;
  if (done.value !== null && !Array.isArray(done.value)) return 'an answer that EXEC does not give';
  return done.value === null;
}

interface Page {
  readonly cursor: string;
  readonly members: readonly Buffer[];
}

function asPage(value: unknown): Page | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [cursor, members] = value as unknown[];
  if (!Buffer.isBuffer(cursor) || !Array.isArray(members) || !members.every(Buffer.isBuffer)) return undefined;
  const text = cursor.toString('latin1');
  return /^\d{1,20}$/.test(text) ? { cursor: text, members } : undefined;
}

function asLine(member: Buffer, mostBytes: number): string {
  if (member.length > mostBytes || member.includes(0x0a) || !isUtf8(member)) return unfit;
  return member.toString('utf8');
}

function failed(detail: string): SetRead {
  return { kind: 'failed', detail };
}

function inWords({ detail }: RedisAnswer & { readonly kind: 'failed' }, key: string): string {
  return detail === 'WRONGTYPE' ? `${key} holds something else than a set (WRONGTYPE)` : detail;
}
