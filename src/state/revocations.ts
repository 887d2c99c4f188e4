import { isUtf8 } from 'node:buffer';
import { setImmediate } from 'node:timers/promises';
import type { RevocableToken } from '../gate/revocation.ts';
import { createValueTable, type ValueTable, type ValueTableBuilder } from './value-table.ts';

/** One list, read. */
export interface Revocations {
  readonly kind: 'revocations';
  readonly entries: number;
  /** Lines that are no entry; 0 where one such refuses the list. */
  readonly skipped: number;
  /** What was wrong with the first of them. */
  readonly firstSkipped: string | undefined;
  /** Memory it takes. */
  readonly bytes: number;
  /** By which entry a tenant's token is revoked, in words for the log; undefined: by none. */
  find(tenant: string, token: RevocableToken): string | undefined;
}

export interface RevocationProblem {
  readonly kind: 'problem';
  /** Names the line. */
  readonly detail: string;
}

const word = String.raw`"(?:[^"\\]|\\.)*"|[^\s"]\S*`;
const lineForm = new RegExp(
  String.raw`^(?:tenant[ \t]+(${word})[ \t]+)?(?:(jti|kid|sub)[ \t]+(${word})(?:[ \t]+before[ \t]+(\S+))?|before[ \t]+(\S+))$`,
);

/** Longer than any token that gets through, and so than what could be said of one. */
const mostLineBytes = 64 * 1024;

/** Lines between two breaths: nobody waits longer than a few milliseconds for a list of a million. */
const linesAtOnce = 4_000;

export interface ReadingOptions {
  /** For lists whose lines were put there one by one, by different hands: a line that is no entry is counted, and left out. */
  readonly skipsProblems?: boolean;
}

/**
 * Reads a list: a line an entry, `[tenant ID] jti V | kid V | sub V [before TIME] | before TIME`, with `#` comments.
 * One line that can't be read refuses the whole list: half a list would let tokens through that the other half names.
 */
export async function parseRevocations(
  bytes: Uint8Array,
  { skipsProblems = false }: ReadingOptions = {},
): Promise<Revocations | RevocationProblem> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isUtf8(text)) return { kind: 'problem', detail: 'it is not UTF-8 text' };
  const scopes = createScopes();
  let line = 0;
  let skipped = 0;
  let firstSkipped: string | undefined;
  for (let start = 0; start < text.length; ) {
    line++;
    const end = text.indexOf(0x0a, start);
    if (end === -1) {
      return { kind: 'problem', detail: `line ${line}: the last line has no end: was the list cut short?` };
    }
    const problem =
      end - start > mostLineBytes
        ? `longer than ${mostLineBytes} bytes`
        : readLine(text.toString('utf8', start, end), scopes, line === 1);
    if (problem !== undefined) {
      if (!skipsProblems) return { kind: 'problem', detail: `line ${line}: ${problem}` };
      skipped++;
      firstSkipped ??= problem;
    }
    start = end + 1;
    if (line % linesAtOnce === 0) await setImmediate();
  }
  return { ...(await scopes.build()), skipped, firstSkipped };
}

function readLine(raw: string, scopes: Scopes, isFirst: boolean): string | undefined {
  const line = (isFirst && raw.startsWith('\uFEFF') ? raw.slice(1) : raw).trim();
  if (line === '' || line.startsWith('#')) return undefined;
  const [, tenantWord, kind, valueWord, subjectTime, allTime] = lineForm.exec(line) ?? [];
  if (kind === undefined && allTime === undefined) {
    return 'must be [tenant ID] and then jti VALUE, kid VALUE, sub VALUE [before TIME] or before TIME';
  }
  const tenant = tenantWord === undefined ? undefined : unquoted(tenantWord);
  const value = valueWord === undefined ? '' : unquoted(valueWord);
  if (tenant === null || value === null) return 'a value in quotes is JSON text, such as "two words"';
  const time = subjectTime ?? allTime;
  const beforeS = time === undefined ? Number.POSITIVE_INFINITY : readTime(time);
  if (beforeS === undefined) return 'a time is whole seconds since 1970, or such as 2026-01-31T12:00:00Z';
  if (kind !== 'sub' && kind !== undefined && subjectTime !== undefined)
    return '"before" goes with sub, or stands alone';
  scopes.add(tenant, kind as EntryKind | undefined, value, beforeS);
  return undefined;
}

/** Null: it began with a quote, and is no JSON text. */
function unquoted(text: string): string | null {
  if (!text.startsWith('"')) return text;
  try {
    return JSON.parse(text) as string;
  } catch {
    return null;
  }
}

const timeForm = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

function readTime(text: string): number | undefined {
  // More digits would be milliseconds: a time in the far future, which would revoke everything for ever.
  if (/^\d{1,11}$/.test(text)) return Number(text);
  if (!timeForm.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms / 1000;
}

type EntryKind = 'jti' | 'kid' | 'sub';

interface Scopes {
  /** Without a tenant: for all of them. Without a kind: all tokens issued before the time. */
  add(tenant: string | undefined, kind: EntryKind | undefined, value: string, beforeS: number): void;
  build(): Promise<Omit<Revocations, 'skipped' | 'firstSkipped'>>;
}

interface ScopeBuilder {
  readonly tables: Partial<Record<EntryKind, ValueTableBuilder>>;
  beforeS: number;
}

interface Scope {
  readonly jti: ValueTable | undefined;
  readonly kid: ValueTable | undefined;
  readonly sub: ValueTable | undefined;
  /** Tokens issued before this are revoked. */
  readonly beforeS: number;
}

function createScopes(): Scopes {
  const everyone: ScopeBuilder = { tables: {}, beforeS: 0 };
  const byTenant = new Map<string, ScopeBuilder>();
  let entries = 0;

  function scopeOf(tenant: string): ScopeBuilder {
    let scope = byTenant.get(tenant);
    if (scope === undefined) {
      scope = { tables: {}, beforeS: 0 };
      byTenant.set(tenant, scope);
    }
    return scope;
  }

  return {
    add(tenant, kind, value, beforeS) {
      entries++;
      const scope = tenant === undefined ? everyone : scopeOf(tenant);
      if (kind === undefined) {
        scope.beforeS = Math.max(scope.beforeS, beforeS);
        return;
      }
      scope.tables[kind] ??= createValueTable({ numbers: kind === 'sub' });
      scope.tables[kind].add(value, beforeS);
    },
    async build() {
      const forAll = await buildScope(everyone);
      const forTenant = new Map<string, Scope>();
      for (const [tenant, scope] of byTenant) forTenant.set(tenant, await buildScope(scope));
      return revocationsOf(forAll, forTenant, entries);
    },
  };
}

/** Apart from what built it, which would stay in memory with it. */
function revocationsOf(
  forAll: Scope,
  forTenant: ReadonlyMap<string, Scope>,
  entries: number,
): Omit<Revocations, 'skipped' | 'firstSkipped'> {
  return {
    kind: 'revocations',
    entries,
    bytes: [forAll, ...forTenant.values()].reduce((sum, scope) => sum + sizeOf(scope), 0),
    find(tenant, token) {
      const own = forTenant.get(tenant);
      return findIn(forAll, token) ?? (own && findIn(own, token));
    },
  };
}

async function buildScope({ tables, beforeS }: ScopeBuilder): Promise<Scope> {
  return { jti: await tables.jti?.build(), kid: await tables.kid?.build(), sub: await tables.sub?.build(), beforeS };
}

function sizeOf({ jti, kid, sub }: Scope): number {
  return (jti?.bytes ?? 0) + (kid?.bytes ?? 0) + (sub?.bytes ?? 0);
}

function findIn(scope: Scope, { jti, sub, kid, issuedAtS }: RevocableToken): string | undefined {
  // A token that does not say when it was issued may be as old as any.
  if (scope.beforeS > 0 && (issuedAtS === undefined || issuedAtS < scope.beforeS)) return 'issued too early';
  if (jti !== undefined && scope.jti?.find(jti) !== undefined) return 'its jti';
  if (kid !== undefined && scope.kid?.find(kid) !== undefined) return 'its kid';
  const beforeS = sub === undefined ? undefined : scope.sub?.find(sub);
  if (beforeS === undefined) return undefined;
  if (beforeS === Number.POSITIVE_INFINITY) return 'its sub';
  return issuedAtS === undefined || issuedAtS < beforeS ? 'its sub, issued too early' : undefined;
}
